"""Admission: a feature has weights from its n-th sample on; before, samples are learned without it.

The count of a feature is that of the samples that it was in, its own sample included, over all
workers: what a worker met and has no weights for travels in its update, the model adds it up, and
the weights frames bring it back. So one worker does what a plain loop does, and several agree but
for what is still on its way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Le

from flink_ol.core.compiled import njit
from flink_ol.core.features.appending import with_counted, without_entries
from flink_ol.core.fields import Section
from flink_ol.core.samples import Counted, Samples
from flink_ol.core.slot_set import SlotSet
from flink_ol.core.state import State
from flink_ol.core.unadmitted import Counts
from flink_ol.core.vocabulary import Vocabulary


@dataclass(frozen=True, kw_only=True)
class Admission(Section):
    """When a feature is worth weights."""

    occurrences: Annotated[int, Ge(1), Le(1_000_000)]
    """A feature is learned from the sample on that is its so-many-th; 1: from the first."""
    waiting: Annotated[int, Ge(2), Le(1 << 24)] = 1 << 18
    """Features counted at a time that have no weights yet; then the older half is forgotten."""


def admitted(
    state: State, samples: Samples, admission: Admission, among: SlotSet | None = None
) -> Samples:
    """``samples`` without the entries that come too early, with what is to be counted for them.

    Changes no count: ``count`` does. Entries of one feature in one sample count once.
    ``among``: of the features with slots only these have weights; None: all have.
    """
    state.waiting.forget(admission.waiting)
    keys = np.require(samples.keys, np.int64, ["C", "W"])
    slots = state.vocabulary.find(keys)
    unknown = np.flatnonzero(slots < 0 if among is None else ~among.holds(slots))
    met = Vocabulary()
    met.add(keys[unknown])
    ranks = np.full(len(keys), -1, np.int64)
    ranks[unknown] = met.find(keys[unknown])
    before = state.waiting.of(met.keys)
    counts = before.copy()
    early = np.zeros(len(keys), np.bool_)
    indptr = np.require(samples.indptr, np.int64, ["C", "W"])
    _count(indptr, ranks, admission.occurrences, counts, early)
    waits = counts < admission.occurrences
    counted = Counted(
        Counts(met.keys[waits], (counts - before)[waits]),
        Counts(met.keys[~waits], before[~waits]),
        samples,
    )
    return with_counted(without_entries(samples, early) if early.any() else samples, counted)


def count(state: State, counted: Counted) -> None:
    """Take what was met into ``state``, in place."""
    state.waiting.add(counted.waiting)
    state.waiting.clear(counted.admitted.keys)


def uncount(state: State, counted: Counted) -> None:
    """Take it back, in place, as if the samples had never come."""
    state.waiting.add(Counts(counted.waiting.keys, -counted.waiting.counts))
    were = counted.admitted.counts > 0
    state.waiting.add(Counts(counted.admitted.keys[were], counted.admitted.counts[were]))
    state.remove(counted.admitted.keys)


@njit
def _count(
    indptr: np.ndarray, ranks: np.ndarray, occurrences: int, counts: np.ndarray, early: np.ndarray
) -> None:
    """Count the features ``ranks`` (entries,), -1 for those admitted before, sample by sample.

    ``counts`` (features,) go on; ``early`` (entries,) becomes true where a feature still waits.
    """
    last = np.full(len(counts), -1, np.int64)
    for sample in range(len(indptr) - 1):
        for entry in range(indptr[sample], indptr[sample + 1]):
            rank = ranks[entry]
            if rank < 0:
                continue
            if last[rank] != sample:
                last[rank] = sample
                counts[rank] += 1
            early[entry] = counts[rank] < occurrences
