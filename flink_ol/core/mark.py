"""A mark in a state: what learning from some samples changes, told as differences or taken back."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from flink_ol.core.compiled import plain
from flink_ol.core.features.extremes import batch_extremes
from flink_ol.core.features.scaling import batch_moments
from flink_ol.core.samples import Counted, Samples
from flink_ol.core.state import ArraySpec, Delta, State, together


class Mark(NamedTuple):
    """What a state was, where learning from some samples can change it."""

    slots: np.ndarray  # (touched,) int64, in order of first appearance in the samples
    ranks: np.ndarray  # (entries,) int64, an entry's index in slots
    arrays: Mapping[str, np.ndarray]  # copies; per feature (touched, *shape), fixed: shape
    counted: Counted | None = None  # features that have to wait for their weights


def difference(specs: Sequence[ArraySpec], state: State, mark: Mark, samples: Samples) -> Delta:
    """What the samples changed since ``mark``; derived arrays are left out.

    The scaler's entry is not a difference but count, mean and squared deviations of these samples
    alone. A number that is not finite in the state is not finite here.
    """
    arrays, rows = {}, together(mark.slots)
    with np.errstate(all="ignore"):
        for spec in specs:
            if spec.merge == "derived":
                continue
            after = state.arrays[spec.name]
            if spec.per_feature:
                after = after[rows]
            if spec.merge == "moments":
                difference = _of_batch(batch_moments, mark, samples)
                difference[~np.isfinite(after).all(axis=-1)] = math.nan
            elif spec.merge == "extremes":
                difference = _of_batch(batch_extremes, mark, samples)
            elif spec.merge == "max":
                difference = np.where(after > mark.arrays[spec.name], after, 0.0)
            else:
                difference = after - mark.arrays[spec.name]
            arrays[spec.name] = difference
    waiting = None if mark.counted is None else mark.counted.waiting
    return Delta(state.vocabulary.keys[mark.slots], arrays, waiting)


def _of_batch(statistics: Callable[..., np.ndarray], mark: Mark, samples: Samples) -> np.ndarray:
    """(touched, columns) of these samples alone."""
    values, numeric = plain(samples.values, np.float64), plain(samples.numeric, np.bool_)
    return statistics(mark.ranks, values, numeric, len(mark.slots))


def put_back(
    specs: Sequence[ArraySpec], state: State, mark: Mark, told: Mapping[str, np.ndarray]
) -> None:
    """Of the arrays ``told``, let stand what is told of the difference since ``mark``."""
    for spec in specs:
        if spec.name in told:
            rows = mark.slots if spec.per_feature else ...
            state.arrays[spec.name][rows] = mark.arrays[spec.name] + told[spec.name]


def take_back(specs: Sequence[ArraySpec], state: State, mark: Mark) -> None:
    """Set all arrays to what they were."""
    for spec in specs:
        rows = mark.slots if spec.per_feature else ...
        state.arrays[spec.name][rows] = mark.arrays[spec.name]
