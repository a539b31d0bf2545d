"""What becomes of samples before a family sees them: absent numbers put in, numbers placed.

Standardisation is not here: families do it themselves, for they score a sample with the statistics
before it and learn from it with those after it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from flink_ol.core.features import extremes, missing
from flink_ol.core.features.appending import appended
from flink_ol.core.features.scaling import batch_moments
from flink_ol.core.merging import moments
from flink_ol.core.samples import Samples
from flink_ol.core.state import ArraySpec, State

_NONE = np.zeros((0, 3))

SCALER, EXTREMES, MEANS = "scaler", "extremes", "means"


class Entries(NamedTuple):
    """The entries of samples as the loops are compiled for them."""

    slots: np.ndarray  # (entries,) int64
    values: np.ndarray  # (entries,) float64
    numeric: np.ndarray  # (entries,) bool


class Preparation:
    """For one setting of ``scale`` and ``missing``; holds no arrays."""

    def __init__(self, scale: str, absent: str) -> None:
        self._fills: int | None = None
        specs = []
        if scale == "standard":
            specs.append(ArraySpec(SCALER, (3,), "moments"))
        elif scale == "min_max":
            specs.append(ArraySpec(EXTREMES, (3,), "extremes"))
        if absent == "zero" and scale != "none":
            self._fills = missing.ZERO
        elif absent == "mean" and scale != "standard":
            self._fills = missing.MEAN if scale == "none" else missing.PLACED_MEAN
            specs.append(ArraySpec(MEANS, (3,), "moments"))
        self.specs: tuple[ArraySpec, ...] = tuple(specs)
        self._names = [spec.name for spec in specs]

    def filled(self, state: State, samples: Samples, learns: bool) -> Samples:
        """``samples`` with what they lack; ``learns``: new keys get their slots.

        Learning from what comes back counts the samples in; this alone does not. Names stay those
        of ``samples``: what is put in has its name already.
        """
        if self._fills is None or not len(samples):
            return samples
        keys = np.require(samples.keys, np.int64, ["C", "W"])
        slots = state.slots(keys) if learns else state.vocabulary.find(keys)
        counting = state.rows(self._names[-1])
        sizes, places, values = missing.absent(
            np.require(samples.indptr, np.int64, ["C", "W"]),
            slots,
            np.require(samples.values, np.float64, ["C", "W"]),
            np.require(samples.numeric, np.bool_, ["C", "W"]),
            counting[:, 0].copy(),
            state.rows(MEANS).copy() if MEANS in self._names else _NONE.copy(),
            state.rows(EXTREMES).copy() if EXTREMES in self._names else _NONE.copy(),
            self._fills,
            learns,
        )
        # a mean is put in as what it comes to, and so is neither scaled nor counted any more
        numbers = np.full(len(places), self._fills == missing.ZERO)
        return appended(
            samples, sizes, state.vocabulary.keys[places], values, numbers, samples.names
        )

    def learned(self, state: State, entries: Entries) -> np.ndarray:
        """Count ``entries`` in, in place: their values as a family takes them, (entries,)."""
        if MEANS in self._names and len(entries.slots):
            touched, ranks = np.unique(entries.slots, return_inverse=True)
            of_batch = batch_moments(
                ranks.astype(np.int64), entries.values, entries.numeric, len(touched)
            )
            means = state.arrays[MEANS]
            means[touched] = moments(means[touched], of_batch, 1.0)
        return self._placed(state, entries, True)

    def scored(self, state: State, entries: Entries) -> np.ndarray:
        """The values of ``entries`` as a family takes them; a slot of -1 is not known."""
        return self._placed(state, entries, False)

    def _placed(self, state: State, entries: Entries, learns: bool) -> np.ndarray:
        if EXTREMES not in self._names:
            return entries.values
        return extremes.place(*entries, state.arrays[EXTREMES], learns)
