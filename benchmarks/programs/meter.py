"""What a contestant's program tells the suite: marks on standard output, one JSON line each.

Stands beside the programs because each runs under a Python of its own, without our packages.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from typing import Any

_EVERY_S = 0.25
_MILESTONES = (10_000, 100_000, 1_000_000)  # as in marks.py: losses are compared there


def task() -> dict[str, Any]:
    """What the suite asks for: servers, topic, samples, format, kind, classes, seconds, options."""
    asked: dict[str, Any] = json.loads(sys.argv[1])
    return asked


class Meter:
    """Counts samples and sums losses; prints where it is four times a second."""

    def __init__(self, seconds: float, *packages: str) -> None:
        """``seconds``: the time after which :meth:`over` is true, from the first batch on."""
        self._seconds, self._packages = seconds, packages
        self.samples, self.loss = 0, 0.0
        self._began = self._told = 0.0

    def add(self, samples: int, loss: float = 0.0) -> None:
        """``samples`` more were learned from, with a summed loss of ``loss`` before that."""
        passed = self.passes(samples)
        self.samples += samples
        self.loss += loss
        if self.due or passed:
            self._tell()

    def start(self) -> None:
        """Everything is loaded, and the first batch is there."""
        self._began = time.time()
        self._tell()

    def passes(self, samples: int) -> bool:
        """Whether ``samples`` more lead past a count at which losses are compared."""
        return any(self.samples < count <= self.samples + samples for count in _MILESTONES)

    @property
    def due(self) -> bool:
        """Whether the next :meth:`add` prints a mark."""
        return time.time() - self._told > _EVERY_S

    @property
    def over(self) -> bool:
        """Whether time is up."""
        return self._began > 0 and time.time() - self._began > self._seconds

    def end(self) -> None:
        """The last mark, with the versions of what did the work."""
        self._tell(versions={name: version(name) for name in self._packages})

    def _tell(self, **more: Any) -> None:
        self._told = time.time()
        mark = {"samples": self.samples, "at_s": self._told, "loss": self.loss, **more}
        print(json.dumps(mark), flush=True)
