"""Watching processes from outside: CPU time and memory, and how fast the machine is just now."""

from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import psutil

_EVERY_S, _FAMILY_S = 0.25, 2.0


class Use(NamedTuple):
    """What a contestant's processes had used up by some time."""

    at_s: float  # since the epoch
    cpu_s: dict[str, float]  # by kind of process
    memory_bytes: int  # resident, just then


class Watch:
    """Looks at processes four times a second, in a thread, while the block runs.

    ``roots`` gives the processes by kind; what they started counts with them as ``children``
    where that is given, else as the same kind.
    """

    def __init__(
        self, roots: Callable[[], dict[str, list[psutil.Process]]], children: str | None = None
    ) -> None:
        self._roots, self._children = roots, children
        self.uses: list[Use] = []
        self._seen: dict[str, dict[tuple[int, float], float]] = {}
        self._family: dict[int, tuple[float, list[psutil.Process]]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def look(self) -> None:
        """One look."""
        memory = 0
        for kind, processes in self._roots().items():
            for process in processes:
                memory += self._look_at(process, kind)
                below = self._below(process)
                memory += sum(self._look_at(child, self._children or kind) for child in below)
        cpu = {kind: sum(seen.values()) for kind, seen in self._seen.items()}
        self.uses.append(Use(time.time(), cpu, memory))

    def _below(self, process: psutil.Process) -> list[psutil.Process]:
        """What it started. Found anew now and then: that reads every process there is."""
        found_at, below = self._family.get(process.pid, (0.0, []))
        if time.monotonic() - found_at > _FAMILY_S:
            try:
                below = process.children(recursive=True)
            except psutil.Error:
                below = []
            self._family[process.pid] = (time.monotonic(), below)
        return below

    def _look_at(self, process: psutil.Process, kind: str) -> int:
        try:
            with process.oneshot():
                times, identity = process.cpu_times(), (process.pid, process.create_time())
                # a process that has ended keeps what it had when it was seen last
                self._seen.setdefault(kind, {})[identity] = float(times.user + times.system)
                return int(process.memory_info().rss)
        except psutil.Error:
            return 0

    def _run(self) -> None:
        while not self._stop.wait(_EVERY_S):
            self.look()

    def __enter__(self) -> Self:
        self.look()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()


def cpu_seconds(process: psutil.Process) -> float:
    """Seconds that it has used so far; 0 where it has ended."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def loop_s() -> float:
    """Seconds for a fixed loop of plain Python: how fast the machine is just now."""
    began, total = time.perf_counter(), 0
    for i in range(6_000_000):
        total += i * i
    return time.perf_counter() - began


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    model = ""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        model = next((line.split(": ")[1] for line in lines if line.startswith("model name")), "")
    return {
        "platform": platform.platform(),
        "processor": model,
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "python": platform.python_version(),
    }
