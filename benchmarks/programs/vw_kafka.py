"""Vowpal Wabbit's wheel fed from Kafka; JSON becomes its text on the way."""

from __future__ import annotations

from collections.abc import Callable

import orjson
from meter import Meter, task
from source import batches
from vowpalwabbit import Workspace


def line_of(encoding: str) -> Callable[[bytes], str]:
    """A record as a line of VW's text."""
    return bytes.decode if encoding == "vw" else _from_json


def _from_json(record: bytes) -> str:
    sample = orjson.loads(record)
    words = [
        f"{name}={value}" if isinstance(value, str) else f"{name}:{value}"
        for name, value in sample["x"].items()
    ]
    return f"{1 if sample['y'] else -1} | {' '.join(words)}"


def main() -> None:
    asked = task()
    line = line_of(asked["format"])
    workspace = Workspace(f"--quiet --no_stdin --loss_function logistic -b {asked['bits']}")
    learn = workspace.learn
    meter = Meter(asked["seconds"], "vowpalwabbit", "confluent-kafka")
    for messages in batches(asked, meter, 500):
        before = workspace.get_sum_loss()
        for message in messages:
            learn(line(message.value()))
        meter.add(len(messages), workspace.get_sum_loss() - before)
    meter.end()


if __name__ == "__main__":
    main()
