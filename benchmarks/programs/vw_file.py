"""Vowpal Wabbit from a file, in C++ from end to end as its command line: the ceiling, no Kafka."""

from __future__ import annotations

from meter import Meter, task
from vowpalwabbit import Workspace


def main() -> None:
    asked = task()
    meter = Meter(asked["seconds"], "vowpalwabbit")
    options = f"--quiet --loss_function logistic -b {asked['bits']} -d {asked['file']}"
    meter.start()
    workspace = Workspace(options)  # reads and learns the file before it returns
    meter.add(int(workspace.get_weighted_examples()), workspace.get_sum_loss())
    meter.end()


if __name__ == "__main__":
    main()
