"""The demo's middle: feeding, asking and watching at the same time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from flink_ol.app import live_table
from flink_ol.app.cluster import connection
from flink_ol.app.demo_questions import Answered, Asking, in_words
from flink_ol.app.errors import FailureError
from flink_ol.app.live_table import Course
from flink_ol.client import Connection, MetricsReader, Predictor, SampleWriter
from flink_ol.job.spec import Spec

_AHEAD_S = 2.0  # so far before its own outcome is fed a flight is asked about
_ANSWER_S = 20.0  # the first answer waits until the model's workers have started
_LINE_EVERY_S = 3.0
_QUIET_S = 90.0  # so long without anything learned, the job is given up
_SHOWN = 4


class Streamed(NamedTuple):
    """What came of it."""

    sent: int
    message: dict[str, Any]  # the last metrics message
    answered: list[Answered]
    seconds: float  # from the first sample sent to all learned


class Feeding(threading.Thread):
    """Sends the first samples at once, and when it is told to, the others at a rate.

    ``sent`` tells how far it is.
    """

    def __init__(self, to: Connection, samples: list[bytes], first: int, rate: float) -> None:
        super().__init__(name="feed", daemon=True)
        self._to, self._samples, self._rate = to, samples, rate
        self._first = first
        self._told = threading.Event()
        self._ended = False
        self.sent = 0
        self.trouble: BaseException | None = None

    def run(self) -> None:
        try:
            with SampleWriter(self._to, rate=self._rate) as writer:
                for line in self._samples:
                    if self.sent == self._first:
                        self._told.wait()
                    if self._ended:
                        return
                    writer.send(line)
                    self.sent += 1
        except Exception as error:
            self.trouble = error  # for the main thread to tell: a thread's own would be lost

    def go_on(self) -> None:
        """Send the others, too."""
        self._told.set()

    def stop(self) -> None:
        """Send no more."""
        self._ended = True
        self._told.set()
        self.join()


def stream(
    console: Console, spec: Spec, samples: list[bytes], rate: int, awake: Callable[[], None]
) -> Streamed:
    """Feed, ask and show until every sample is in the model; ``awake`` is called at full speed.

    Raises :class:`FailureError`.
    """
    to = connection(spec)
    with MetricsReader(to) as metrics, Predictor(to, timeout_s=_ANSWER_S) as predictor:
        feeding = Feeding(to, samples, spec.samples.partitions, rate)
        asking = Asking(samples, lambda: feeding.sent, int(_AHEAD_S * rate), predictor.ask)
        try:
            feeding.start()
            _await_first(metrics, feeding, spec.samples.partitions)
            awake()
            began = time.monotonic()
            feeding.go_on()
            asking.start()
            course = _watch(console, spec.name, metrics, feeding, asking, len(samples))
        finally:
            feeding.stop()
            if asking.is_alive():
                asking.stop()
    assert course.newest is not None
    seconds = time.monotonic() - began
    return Streamed(len(samples), dict(course.newest), asking.answered, seconds)


def _await_first(metrics: MetricsReader, feeding: Feeding, first: int) -> None:
    """Until one flight of each partition was learned: Flink starts its Python workers for them."""
    deadline = time.monotonic() + _QUIET_S
    while not any(message["samples"] >= first for message in metrics.poll(0.3)):
        if feeding.trouble is not None:
            raise feeding.trouble
        if time.monotonic() > deadline:
            raise FailureError(f"the first {first} flights were not learned in {_QUIET_S:.0f} s")


def _watch(
    console: Console,
    name: str,
    metrics: MetricsReader,
    feeding: Feeding,
    asking: Asking,
    total: int,
) -> Course:
    """Show the course until everything was learned."""
    course, told, moved, answers = Course(), time.monotonic(), time.monotonic(), 0
    with Live(console=console, auto_refresh=False, transient=False) as live:
        while course.counted < total:
            for message in metrics.poll(0.3):
                if int(message["samples"]) + int(message["rejected"]) > course.counted:
                    moved = time.monotonic()
                course.add(message)
            for thread in (feeding, asking):
                if thread.trouble is not None:
                    raise thread.trouble
            if time.monotonic() - moved > _QUIET_S:
                raise FailureError(
                    f"nothing was learned for {_QUIET_S:.0f} s, after {course.counted:,} of "
                    f"{total:,} flights"
                )
            if console.is_terminal:
                live.update(_picture(name, course, asking), refresh=True)
            elif time.monotonic() - told > _LINE_EVERY_S:
                told = time.monotonic()
                console.print(f"  {live_table.line(course)}")
                if len(asking.answered) > answers:
                    answers = len(asking.answered)
                    console.print(f"    {in_words(asking.answered[-1])}")
        if not console.is_terminal:
            console.print(f"  {live_table.line(course)}")
    return course


def _picture(name: str, course: Course, asking: Asking) -> Group:
    answers = [Text("  " + in_words(each), style="dim") for each in asking.answered[-_SHOWN:]]
    return Group(live_table.table(name, course, None), *answers)
