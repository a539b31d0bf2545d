"""A TaskManager ended between pre-commit and commit: what it wrote is in a checkpoint, and open.

Sinks flush their transaction and acknowledge the checkpoint (pre-commit); when all have, the
JobManager completes it, and tells them to commit. So the JobManager is frozen once a checkpoint
has begun, the acknowledgements wait for it meanwhile, then the TaskManager is frozen in its place:
what completes now is known to nobody who could commit it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from flink_ol.core.messages import Version
from flink_ol.wire.model_file import decode_snapshot
from flink_ol.wire.parts import Assembler
from tests.running_job import RunningJob

BEGINNINGS_S = (0.03, 0.06, 0.1, 0.2, 0.02, 0.15, 0.3, 0.05)  # given to a checkpoint to set out
TO_ACKNOWLEDGE_S = 2.0  # with what follows below the heartbeat's timeout of 8 s
TO_COMPLETE_S = 2.5
PATIENCE_S = 120.0


@contextlib.contextmanager
def frozen(process: psutil.Process) -> Iterator[None]:
    """SIGSTOP, and SIGCONT at the end if it still lives."""
    process.suspend()
    try:
        yield
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.resume()


def kill_before_commit(job: RunningJob) -> int:
    """`kill -9` of the only TaskManager with a completed checkpoint's transactions uncommitted.

    That checkpoint's number. It is certain: the checkpoint was incomplete when the TaskManager was
    frozen, complete when it was killed, and between it could not run. A moment that was missed
    costs nothing, and the next checkpoint is taken.
    """
    stack = job.stack
    (task_manager,) = (psutil.Process(record.pid) for record in stack.task_managers())
    members = {member.name: member.pid for member in stack.status().members}
    job_manager = psutil.Process(members["jobmanager"])
    folder = stack.flink_folder.checkpoints / job.spec.name / job.id
    for beginning_s in BEGINNINGS_S:
        checkpoint = _next_one(folder)
        time.sleep(beginning_s)
        with frozen(job_manager):
            if _complete(checkpoint):
                continue
            time.sleep(TO_ACKNOWLEDGE_S)
            task_manager.suspend()
        with frozen(task_manager):
            deadline = time.monotonic() + TO_COMPLETE_S
            while time.monotonic() < deadline:
                if _complete(checkpoint):
                    stack.kill_task_manager()
                    return int(checkpoint.name.removeprefix("chk-"))
                time.sleep(0.01)
    raise AssertionError(f"{len(BEGINNINGS_S)} checkpoints, and none was met between the two")


def open_snapshots(job: RunningJob) -> list[Version]:
    """What stands on the topic behind the end that committed readers see, in its order."""
    visible = {record.offset for record in job.read("snapshots")}
    assembler, found = Assembler(), []
    for record in job.read("snapshots", committed=False):
        message = None if record.value is None else assembler.add(record.value)
        if message is not None and record.offset > max(visible, default=-1):
            found.append(decode_snapshot(message).frame.version)
    return found


def _complete(checkpoint: Path) -> bool:
    return (checkpoint / "_metadata").is_file()  # written last


def _next_one(folder: Path) -> Path:
    """The folder of the checkpoint that begins next, as soon as it is there.

    Looked for in the file system: what the cluster tells of checkpoints is seconds old.
    """
    deadline = time.monotonic() + PATIENCE_S
    before = set(folder.glob("chk-*"))
    while True:
        if begun := set(folder.glob("chk-*")) - before:
            return max(begun, key=lambda path: int(path.name.removeprefix("chk-")))
        assert time.monotonic() < deadline, f"no checkpoint begins in {folder}"
        time.sleep(0.002)
