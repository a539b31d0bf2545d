"""The demo's live questions: will this flight be late? Asked before its outcome is fed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import orjson

_PAUSE_S = 1.0  # between questions
_FLIGHTS = 5  # a question


class Answered(NamedTuple):
    """One flight that was asked about, and what came of it."""

    sample: dict[str, Any]
    late: float  # probability
    version: int
    wait_ms: float  # from the question to its answer

    @property
    def right(self) -> bool:
        return (self.late > 0.5) == self.sample["y"]


def in_words(answered: Answered) -> str:
    """``UA 1545 EWR -> IAH, 17 min late at the gate: 62 % likely late; it was``."""
    sample = answered.sample
    _, carrier, number, origin = sample["id"].split()
    delay = sample["x"]["dep_delay"]
    gate = (
        f"{delay} min late at the gate"
        if delay > 0
        else f"{-delay} min early at the gate"
        if delay < 0
        else "on time at the gate"
    )
    came = "it was" if sample["y"] else "it was not"
    return (
        f"{carrier} {number} {origin} -> {sample['x']['dest']}, {gate}: "
        f"{answered.late:.0%} likely late; {came}".replace("%", " %")
    )


class Asking(threading.Thread):
    """Asks about the flights that are soon to be fed, until it is told to stop.

    ``position`` tells how many samples were fed, ``ahead`` how far beyond to ask, so that the
    answer cannot rest on the flight's own outcome. ``ask`` sends requests and gives answers.
    """

    def __init__(
        self,
        samples: Sequence[bytes],
        position: Callable[[], int],
        ahead: int,
        ask: Callable[[list[dict[str, Any]]], list[dict[str, Any]]],
    ) -> None:
        super().__init__(name="questions", daemon=True)
        self._samples, self._position, self._ahead, self._ask = samples, position, ahead, ask
        self._ended = threading.Event()
        self.answered: list[Answered] = []
        self.trouble: BaseException | None = None

    def run(self) -> None:
        try:
            while not self._ended.wait(_PAUSE_S):
                self._question()
        except Exception as error:
            self.trouble = error  # for the main thread to tell: a thread's own would be lost

    def stop(self) -> None:
        """Ask no more, and wait for the answers under way."""
        self._ended.set()
        self.join()

    def _question(self) -> None:
        start = self._position() + self._ahead
        asked = [orjson.loads(line) for line in self._samples[start : start + _FLIGHTS]]
        if not asked:
            return
        began = time.monotonic()
        requests = [{key: sample[key] for key in ("id", "t", "x")} for sample in asked]
        answers = self._ask(requests)
        wait_ms = (time.monotonic() - began) * 1000
        for sample, answer in zip(asked, answers, strict=True):
            if "probabilities" in answer:
                _, late = map(float, answer["probabilities"].values())  # negative class first
                version = int(answer["model"]["version"])
                self.answered.append(Answered(sample, late, version, wait_ms))
