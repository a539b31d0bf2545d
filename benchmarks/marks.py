"""One run: how long it may take, and its figures from what was told and what was used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmarks.measuring import Use

MILESTONES = (10_000, 100_000, 1_000_000)
TAIL = 0.97  # after this share of the samples partitions may have run dry


class Limits(NamedTuple):
    """How long a run may take, in seconds."""

    warm_up_s: float = 20.0  # where Flink is: Java's compilers are busy until then
    measured_s: float = 15.0
    timeout_s: float = 120.0


class Mark(NamedTuple):
    """So many samples were learned by some time, with a summed log loss before learning each."""

    samples: int
    at_s: float
    loss: float


def run_figures(
    marks: Sequence[Mark], uses: Sequence[Use], warm_up_s: float, samples: int
) -> dict[str, Any]:
    """Rate and CPU time over the steady part of a run, log loss over all of it.

    ``warm`` is False where the steady part began before ``warm_up_s`` had gone. Raises ValueError
    as steady does.
    """
    first, last = steady(marks, warm_up_s, samples)
    learned, seconds = last.samples - first.samples, last.at_s - first.at_s
    cpu = {
        kind: round((_cpu(uses, kind, last.at_s) - _cpu(uses, kind, first.at_s)) / learned * 1e6, 3)
        for kind in (uses[-1].cpu_s if uses else {})
    }
    return {
        "samples": marks[-1].samples,
        "samples_per_s": round(learned / seconds),
        "steady_s": round(seconds, 2),
        "warm": first.at_s >= marks[0].at_s + warm_up_s,
        "cpu_us_per_sample": {**cpu, "all": round(sum(cpu.values()), 3)},
        "peak_mib": max((use.memory_bytes for use in uses), default=0) >> 20,
        "log_loss": _rounded(marks[-1].loss / marks[-1].samples),
        "log_loss_of_first": {
            str(count): _rounded(_loss(marks, count) / count)
            for count in MILESTONES
            if marks[-1].samples >= count
        },
    }


def steady(marks: Sequence[Mark], warm_up_s: float, samples: int) -> tuple[Mark, Mark]:
    """The first and the last mark of the steady part of a run.

    It begins ``warm_up_s`` after the first mark, or at half of what was learned if that is sooner,
    and ends before the last of ``samples`` (in the topic).

    Raises:
        ValueError: there are less than two marks, or nothing was learned between them.
    """
    if len(marks) < 2 or marks[-1].samples <= marks[0].samples:
        raise ValueError(f"nothing was learned between {len(marks)} marks")
    inner = [mark for mark in marks if mark.samples <= TAIL * samples]
    usable = inner if len(inner) > 2 else list(marks)
    half = (usable[0].samples + usable[-1].samples) / 2
    start = next(
        i
        for i, mark in enumerate(usable)
        if mark.at_s >= usable[0].at_s + warm_up_s or mark.samples >= half or i == len(usable) - 2
    )
    if len(usable) == 2:
        start = 0  # told at its end only
    return usable[start], usable[-1]


def _cpu(uses: Sequence[Use], kind: str, at_s: float) -> float:
    times = [use.at_s for use in uses]
    return float(np.interp(at_s, times, [use.cpu_s.get(kind, 0.0) for use in uses]))


def _loss(marks: Sequence[Mark], count: int) -> float:
    """Summed loss of the first ``count`` samples, straight between marks."""
    counts = [0, *(mark.samples for mark in marks)]
    return float(np.interp(count, counts, [0.0, *(mark.loss for mark in marks)]))


def _rounded(loss: float) -> float | None:
    return round(loss, 5) if loss > 0 else None
