"""Expiry: a feature that no sample touches for long is dropped, with its weights and its name.

The sequencer, which alone has a clock, puts a cut-off into an entry now and then; every replica of
the model drops what was last touched before it, by the times of the entries. Time in which nothing
is learned, because the job is down or the stream is silent, does not count: a job that is stopped
for a week comes back with its features.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
from annotated_types import Ge, Le

from flink_ol.core.fields import Section

_CUTS = 16  # in the time that a feature may stay untouched
_FIRST_CAPACITY = 16


@dataclass(frozen=True, kw_only=True)
class Expiry(Section):
    """How long a feature is kept that no sample has."""

    untouched_ms: Annotated[int, Ge(100), Le(10 * 365 * 86_400_000)]
    """After so long without a sample that has it; up to a sixteenth later."""

    @property
    def every_ms(self) -> int:
        """Least time between two cuts, and the longest gap between updates that counts in full."""
        return self.untouched_ms // _CUTS


@dataclass(slots=True)
class Activity:
    """What the sequencer knows of the time in which was learned; all in its clock's ms."""

    learned_ms: int = 0  # of the last update
    cut_ms: int = 0  # of the last cut
    pauses: list[tuple[int, int]] = field(default_factory=list)  # end and length, oldest first


def cut_off(expiry: Expiry, activity: Activity, now_ms: int) -> int:
    """An update came: features last touched before this time are to be dropped; 0: none now.

    Takes the update into ``activity``, in place.
    """
    gap = now_ms - activity.learned_ms if activity.learned_ms else 0
    if gap > expiry.every_ms:
        activity.pauses.append((now_ms, gap - expiry.every_ms))
    activity.learned_ms = max(activity.learned_ms, now_ms)
    if not activity.cut_ms:
        activity.cut_ms = now_ms
    if now_ms - activity.cut_ms < expiry.every_ms:
        return 0
    activity.cut_ms = now_ms
    before_ms = now_ms - expiry.untouched_ms
    kept: list[tuple[int, int]] = []
    for end, length in reversed(activity.pauses):
        if end <= before_ms:
            break
        before_ms -= length
        kept.append((end, length))
    activity.pauses = kept[::-1]
    return max(0, before_ms)


class Touched:
    """When the feature of each slot of one replica was last in an update, by the log's time."""

    __slots__ = ("_times",)

    def __init__(self, times: np.ndarray | None = None) -> None:
        """``times`` (slots,) int64, in milliseconds; slots beyond them: not known."""
        self._times = np.zeros(0, np.int64) if times is None else times.copy()

    def content(self, size: int) -> np.ndarray:
        """(size,) int64, 0 where it is not known: a copy; the constructor is the inverse."""
        self._grow(size)
        return self._times[:size].copy()

    def touch(self, slots: np.ndarray, time_ms: int) -> None:
        """Features of ``slots`` were in an update at ``time_ms``."""
        if len(slots):
            self._grow(int(slots.max()) + 1)
            self._times[slots] = time_ms

    def before(self, size: int, cut_ms: int, now_ms: int) -> np.ndarray:
        """The slots below ``size`` last touched before ``cut_ms``, increasing.

        One of which it is not known counts as touched now: an older version wrote no times.
        """
        self._grow(size)
        times = self._times[:size]
        times[times == 0] = now_ms
        return np.flatnonzero(times < cut_ms)

    def keep(self, kept: np.ndarray) -> None:
        """The slots ``kept``, increasing, are the slots 0, 1, ... from now on."""
        self._grow(int(kept.max(initial=-1)) + 1)
        self._times = self._times[kept]

    def _grow(self, size: int) -> None:
        if size > len(self._times):
            grown = np.zeros(max(_FIRST_CAPACITY, 2 * size), np.int64)
            grown[: len(self._times)] = self._times
            self._times = grown
