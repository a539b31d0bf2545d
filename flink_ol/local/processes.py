"""Processes of the local stack: started detached, known by pid and start time, ended by id only.

Every process carries two environment variables, and so does everything it starts itself: the
stack's id and the member's name. The Python workers of a TaskManager that was killed live on
without a parent; the variables still tell whose they were.
"""

import os
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from flink_ol.local.errors import StackError

STACK_VARIABLE = "FLINK_OL_STACK_ID"
MEMBER_VARIABLE = "FLINK_OL_STACK_MEMBER"

# Popen objects of living children: dropping one warns of a running subprocess, which is the point.
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class ProcessRecord:
    """One process of a stack. The pid alone may be somebody else's by now; with `started` not."""

    name: str
    pid: int
    started: float  # seconds since the epoch, as the kernel has it


def spawn(
    name: str,
    command: Sequence[str | Path],
    *,
    stack_id: str,
    environment: Mapping[str, str],
    folder: Path,
    log: Path,
) -> ProcessRecord:
    """Starts a process in a session of its own, with its output appended to `log`."""
    marked = {**environment, STACK_VARIABLE: stack_id, MEMBER_VARIABLE: name}
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        child = subprocess.Popen(
            [str(part) for part in command],
            cwd=folder,
            env=marked,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # ctrl-C in the terminal is for the caller, not for the stack
        )
    _children[child.pid] = child
    return ProcessRecord(name, child.pid, psutil.Process(child.pid).create_time())


def find(record: ProcessRecord) -> psutil.Process | None:
    """The living process of a record; None when it ended or its pid is another's."""
    if child := _children.get(record.pid):
        child.poll()  # reaps it, should it be a zombie of ours
    try:
        process = psutil.Process(record.pid)
        if abs(process.create_time() - record.started) > 0.05:
            return None
        return None if process.status() == psutil.STATUS_ZOMBIE else process
    except psutil.NoSuchProcess:
        return None


def marked_processes(stack_id: str, member: str | None = None) -> list[psutil.Process]:
    """Living processes that carry the stack's id (and the member's name), orphans included."""
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid in own or process.status() == psutil.STATUS_ZOMBIE:
                continue
            variables = process.environ()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if variables.get(STACK_VARIABLE) == stack_id and (
            member is None or variables.get(MEMBER_VARIABLE) == member
        ):
            found.append(process)
    return found


def end(processes: Iterable[psutil.Process], *, grace_s: float = 10.0) -> None:
    """Asks the processes to end, and kills those that have not after `grace_s` (0: at once).

    Raises:
        StackError: a process survived being killed (it hangs in the kernel, say on a dead disk).
    """
    remaining = list(processes)
    if grace_s > 0:
        for process in remaining:
            _signal(process, kill=False)
        _, remaining = psutil.wait_procs(remaining, timeout=grace_s)
    for process in remaining:
        _signal(process, kill=True)
    _, remaining = psutil.wait_procs(remaining, timeout=10.0)
    for pid in list(_children):
        if _children[pid].poll() is not None:
            del _children[pid]
    alive = [p.pid for p in remaining if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    if alive:
        raise StackError(f"processes {alive} do not end, not even by kill -9: look at them by hand")


def _signal(process: psutil.Process, *, kill: bool) -> None:
    with suppress(psutil.NoSuchProcess):
        process.kill() if kill else process.terminate()


def end_marked(stack_id: str, member: str | None = None, *, grace_s: float = 10.0) -> list[int]:
    """Ends everything that carries the mark, until nothing does; returns the pids that it found."""
    ended: list[int] = []
    deadline = time.monotonic() + grace_s + 20.0
    while found := marked_processes(stack_id, member):
        ended += [process.pid for process in found]
        end(found, grace_s=grace_s)
        grace_s = min(grace_s, 2.0)  # what is found again was started while the rest ended
        if time.monotonic() > deadline:
            raise StackError(f"processes of stack {stack_id} keep coming back: {ended}")
    return ended


def memory_bytes(processes: Iterable[psutil.Process]) -> int:
    """Resident memory of the processes together."""
    total = 0
    for process in processes:
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log, for an error message."""
    if not log.is_file():
        return "(no log)"
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
