"""Consume and discard with confluent-kafka: what reading alone costs in a Python process."""

from __future__ import annotations

from meter import Meter, task
from source import batches


def main() -> None:
    asked = task()
    meter = Meter(asked["seconds"], "confluent-kafka")
    for messages in batches(asked, meter, max(10, 10_000 // asked["samples_each"])):
        meter.add(len(messages) * asked["samples_each"])
    meter.end()


if __name__ == "__main__":
    main()
