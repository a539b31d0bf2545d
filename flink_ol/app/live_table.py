"""The progress of a learning job as a table or as one line, out of its metrics messages."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple

from rich.table import Table

from flink_ol.app.figures import in_brackets, live_rows, words

_RATE_OVER_MS = 5000  # short enough to follow a change, long enough to smooth the windows


class Cluster(NamedTuple):
    """What Flink says of the job."""

    state: str
    restarts: int
    checkpoints: int  # completed


class Course:
    """The messages so far, as far as they matter for the next view."""

    def __init__(self) -> None:
        self.newest: Mapping[str, Any] | None = None
        self._counts: deque[tuple[int, int]] = deque()  # (time_ms, samples)

    def add(self, message: Mapping[str, Any]) -> None:
        """Take a metrics message; one of an older version changes nothing."""
        if self.newest is not None and _version(message) < _version(self.newest):
            return
        self.newest = message
        self._counts.append((int(message["time_ms"]), int(message["samples"])))
        while len(self._counts) > 2 and (self._counts[-1][0] - self._counts[1][0] >= _RATE_OVER_MS):
            self._counts.popleft()

    @property
    def rate(self) -> float:
        """Samples learned per second, over the last seconds of the messages."""
        if len(self._counts) < 2:
            return 0.0
        (began_ms, before), (ended_ms, after) = self._counts[0], self._counts[-1]
        return (after - before) * 1000 / max(1, ended_ms - began_ms)

    @property
    def samples(self) -> int:
        return int(self.newest["samples"]) if self.newest else 0

    @property
    def counted(self) -> int:
        """Samples learned or set aside."""
        return self.samples + int(self.newest["rejected"]) if self.newest else 0

    @property
    def staleness_ms(self) -> int | None:
        """Age of the newest sample in the model when the message was made."""
        if not self.newest or not self.newest["newest_ms"]:
            return None
        return max(0, int(self.newest["time_ms"]) - int(self.newest["newest_ms"]))


def table(name: str, course: Course, cluster: Cluster | None) -> Table:
    """The whole picture, for a terminal."""
    outer = Table.grid(padding=(0, 3))
    outer.add_row(_counts(name, course, cluster), _figures(course))
    return outer


def line(course: Course) -> str:
    """The same in one line, for where there is no terminal."""
    message = course.newest
    if message is None:
        return "waiting for the first samples"
    figures = ", ".join(
        f"{words(name)} {value:.4f}{in_brackets(beside)}"
        for name, value, beside in live_rows(message["metrics"])[:2]
    )
    return (
        f"{course.samples:>9,} samples, {course.rate:>7,.0f}/s, "
        f"version {message['model']['version']:,}: {figures}"
    )


def _counts(name: str, course: Course, cluster: Cluster | None) -> Table:
    made = Table(title=name, title_justify="left", show_header=False)
    made.add_column(style="dim")
    made.add_column(justify="right", min_width=12)
    message = course.newest
    if message is None:
        made.add_row("samples", "waiting")
    else:
        made.add_row("samples", f"{course.samples:,}")
        made.add_row("rate", f"{course.rate:,.0f}/s")
        made.add_row("version", f"{message['model']['version']:,}")
        if course.staleness_ms is not None:
            made.add_row("staleness", f"{course.staleness_ms:,} ms")
        made.add_row("features", f"{message['features']:,}")
        made.add_row("workers", f"{message['workers']}")
        rejected = int(message["rejected"])
        made.add_row("dead letters", f"[red]{rejected:,}[/red]" if rejected else "0")
        age_s = max(0, int(time.time() - message["time_ms"] / 1000))
        made.add_row("last heard", f"{age_s} s ago" if age_s > 1 else "now")
    if cluster is not None:
        made.add_row("job", cluster.state.lower())
        made.add_row("restarts", f"{cluster.restarts}")
        made.add_row("checkpoints", f"{cluster.checkpoints:,}")
    return made


def _figures(course: Course) -> Table:
    made = Table(title="scored before learned", title_justify="left")
    made.add_column("metric")
    found = live_rows(course.newest["metrics"]) if course.newest else []
    baselines = list(dict.fromkeys(name for _, _, beside in found for name in beside))
    for heading in ("all so far", *map(words, baselines)):
        made.add_column(heading, justify="right")
    for name, value, beside in found:
        cells = [f"{beside[other]:.4f}" if other in beside else "" for other in baselines]
        made.add_row(words(name), f"[bold]{value:.4f}[/bold]", *cells)
    return made


def _version(message: Mapping[str, Any]) -> tuple[int, int]:
    return int(message["model"]["epoch"]), int(message["model"]["version"])
