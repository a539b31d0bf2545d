"""One Python environment for each kind of contestant, made by the suite when first needed.

Packages come from wherever pip is set up to find them, into ``.benchmarks/environments``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROGRAMS = Path(__file__).parent / "programs"
FOLDER = ROOT / ".benchmarks" / "environments"

REQUIREMENTS: dict[str, tuple[str, ...]] = {
    "confluent": ("confluent-kafka>=2.6,<3",),
    "kafka-python": ("kafka-python>=2.2,<3",),
    "river": ("river>=0.22", "confluent-kafka>=2.6,<3", "orjson"),
    "vw": ("vowpalwabbit==9.11.*", "confluent-kafka>=2.6,<3", "orjson"),
    "sklearn": ("scikit-learn>=1.5", "confluent-kafka>=2.6,<3", "orjson"),
    "core": ("confluent-kafka>=2.6,<3",),  # the rest is what this process runs with
    "plots": ("matplotlib>=3.9",),
    "profile": ("py-spy>=0.4",),
}


def python_of(name: str) -> Path:
    """The interpreter of an environment, which is made if it is not there as it should be.

    Raises:
        RuntimeError: a package cannot be installed; with pip's last words.
    """
    folder = FOLDER / name
    python, stamp = folder / "bin" / "python", folder / "made-of"
    wanted = "\n".join((sys.version, *REQUIREMENTS[name]))
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    venv.create(folder, clear=True, with_pip=True)
    command = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    done = subprocess.run([*command, *REQUIREMENTS[name]], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"environment {name}: {done.stderr.strip()[-500:]}")
    if name == "core":
        own = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
        (own / "beneath.pth").write_text(sysconfig.get_path("purelib") + "\n")
    stamp.write_text(wanted)
    return python


def variables() -> dict[str, str]:
    """What programs run with: the repository importable, arithmetic libraries on one thread."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
