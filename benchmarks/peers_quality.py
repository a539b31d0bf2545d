"""How well Vowpal Wabbit and we predict in one pass over the same samples, in the same order.

    python -m benchmarks.peers_quality --vw-python ../vw/bin/python [--a9a a9a.ndjson.gz]

``--vw-python`` is a Python with the package vowpalwabbit (9.11); a file of newline-delimited
``{"x": {name: number or text}, "y": 0 or 1}`` may be given beside the flights.
"""

from __future__ import annotations

import argparse
import gzip
import json
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from flink_ol.app import replay
from flink_ol.job.spec import Spec
from jobs import flights

_VW = Path(__file__).with_name("vw_pass.py")
_BATCH = 4096
# no collisions among a few hundred features; importance, numbers and labels as they are
_ALWAYS = "--quiet --loss_function logistic -b 24 --no_stdin"


class Contest(NamedTuple):
    """The same algorithm in both: VW's options and our specification."""

    name: str
    options: str
    optimizer: dict[str, Any]
    bounded: bool  # numbers divided by their largest absolute value: FTRL does not normalise


CONTESTS = (
    Contest(
        "ftrl",
        "--ftrl --ftrl_alpha 0.1 --ftrl_beta 1 --l1 0 --l2 1",
        # VW's constant is a feature like the others
        {"name": "ftrl", "alpha": 0.1, "beta": 1.0, "l1": 0.0, "l2": 1.0}
        | {"intercept_learning_rate": None},
        True,
    ),
    Contest("adaptive", "", {"name": "adaptive"}, False),
)


def vw_line(sample: dict[str, Any]) -> str:
    """A sample in VW's text format; a text f with value v is the feature ``f=v``."""
    features = " ".join(
        f"{name}={value}" if isinstance(value, str) else f"{name}:{value!r}"
        for name, value in sample["x"].items()
    )
    return f"{1 if sample['y'] else -1} | {features}"


def bounded(samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every number divided by the largest absolute value of its feature."""
    largest: dict[str, float] = {}
    for sample in samples:
        for name, value in sample["x"].items():
            if not isinstance(value, str):
                largest[name] = max(largest.get(name, 0.0), abs(value))
    return [
        {
            "x": {
                name: value if isinstance(value, str) else value / (largest[name] or 1.0)
                for name, value in sample["x"].items()
            },
            "y": sample["y"],
        }
        for sample in samples
    ]


def ours(samples: list[dict[str, Any]], optimizer: dict[str, Any]) -> float:
    """Our progressive log loss."""
    spec = Spec.model_validate(
        {"name": "contest", "features": {"scale": "none"}, "optimizer": optimizer}
    )
    records = [orjson.dumps(sample) for sample in samples]
    blocks: Iterable[list[bytes]] = (
        records[start : start + _BATCH] for start in range(0, len(records), _BATCH)
    )
    replayed = replay.run(spec, blocks)
    if replayed.dead_letters:
        raise RuntimeError(f"{replayed.dead_letters} samples were not learned from")
    return float(replayed.metrics["log_loss"])


def theirs(samples: list[dict[str, Any]], python: Path, options: str) -> dict[str, Any]:
    """VW's, with its version."""
    with tempfile.TemporaryDirectory(prefix="flink-ol-vw-") as folder:
        path = Path(folder) / "samples.vw"
        path.write_text("".join(vw_line(sample) + "\n" for sample in samples))
        command = [str(python), str(_VW), str(path), f"{_ALWAYS} {options}"]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers_quality")
    parser.add_argument("--vw-python", type=Path, required=True)
    parser.add_argument("--a9a", type=Path, help="a further stream, gzip or not")
    parser.add_argument("--only", choices=[contest.name for contest in CONTESTS])
    arguments = parser.parse_args()
    streams = {"flights": [orjson.loads(line) for line in flights.read().samples]}
    if arguments.a9a is not None:
        data = arguments.a9a.read_bytes()
        data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
        streams["a9a"] = [orjson.loads(line) for line in data.splitlines()]
    print("| stream | samples | algorithm | VW | ours | difference |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, samples in streams.items():
        for contest in CONTESTS:
            if arguments.only in (None, contest.name):
                chosen = bounded(samples) if contest.bounded else samples
                vw = theirs(chosen, arguments.vw_python, contest.options)
                loss = ours(chosen, contest.optimizer)
                print(
                    f"| {name} | {len(samples):,} | {contest.name} | {vw['log_loss']:.6f} "
                    f"| {loss:.6f} | {100 * (loss / vw['log_loss'] - 1):+.3f} % |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
