"""Progress of long work, on standard error and only on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from flink_ol.app.records import Records

messages = Console(stderr=True, highlight=False, soft_wrap=True)


class _Rate(ProgressColumn):
    """Records and records per second."""

    def render(self, task: Task) -> Text:
        done = int(task.fields["records"])
        rate = done / task.elapsed if task.elapsed else 0.0
        return Text(f"{done:,} records, {rate:,.0f}/s")


class RecordBar:
    """A bar over the bytes of the input, with the number of records beside it."""

    def __init__(self, progress: Progress, records: Records, passes: int) -> None:
        self._progress, self._records, self._passes = progress, records, passes
        total = records.total * passes if records.total is not None else None
        self._task = progress.add_task(records.name, total=total, records=0)

    def show(self, done: int, passed: int = 0) -> None:
        """``done`` records so far, after ``passed`` whole passes over the input."""
        total = self._records.total or 0
        completed = passed * total + self._records.position
        self._progress.update(self._task, completed=completed, records=done)


@contextmanager
def record_bar(records: Records, passes: int = 1) -> Iterator[RecordBar]:
    """A bar for work on ``records``, gone when the work is done."""
    bar = BarColumn(bar_width=30)
    known = [bar, TimeRemainingColumn()] if records.total is not None else [SpinnerColumn()]
    columns = [TextColumn("{task.description}"), *known, _Rate(), TimeElapsedColumn()]
    with Progress(
        *columns, console=messages, transient=True, disable=not sys.stderr.isatty()
    ) as progress:
        yield RecordBar(progress, records, passes)


@contextmanager
def working(what: str) -> Iterator[None]:
    """A spinner with ``what`` while something takes its time."""
    if sys.stderr.isatty():
        with messages.status(what):
            yield
    else:
        yield
