"""Write the savepoint that test_savepoint_fixture.py restores, to FILE.tar.gz.

Run it when the format of a state changes, under a new number; the older files stay and must go on
being restored, or be refused in words.
"""

from __future__ import annotations

import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from flink_ol.local.stack import Stack
from tests.running_job import RunningJob, json_records
from tests.shell import Shell

NAME = "savepoint-fixture"
RECORDS = json_records(21, 600)
FIRST = 300  # records that the savepoint holds
SECTIONS: dict[str, Any] = {"samples": {"partitions": 1}, "training": {"workers": 1}}


def make(stack: Stack, folder: Path, out: Path) -> None:
    """Learn the first records, stop with a savepoint and pack it."""
    job = RunningJob(stack, folder, NAME, **SECTIONS)
    job.submit()
    job.feed(RECORDS[:FIRST])
    job.await_samples(FIRST)
    told = Shell(job.path, stack).json("stop", job.path)
    place = Path(told["savepoint"].removeprefix("file:").replace("//", "/"))
    with tarfile.open(out, "w:gz") as packed:
        for path in sorted(place.iterdir()):
            packed.add(path, path.name)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder) / "stack")
        try:
            stack.up(task_managers=1, slots=2)
            make(stack, Path(folder), Path(sys.argv[1]).absolute())
        finally:
            stack.down()


if __name__ == "__main__":
    main()
