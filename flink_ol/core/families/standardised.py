"""Standardised values of whole batches, for families that learn after the scaler has been through.

The order is that of the linear loops, sample by sample: a sample is scored with the statistics of
all samples before it, those of its own batch among them; then the scaler learns it; then its
gradient is taken with the statistics that contain it. So what a family sees does not depend on
where a batch begins.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from flink_ol.core.compiled import njit
from flink_ol.core.families.linear_loops import Rows
from flink_ol.core.features import scaling
from flink_ol.core.features.scaling import COUNT, DEVIATIONS, MEAN


def learned(
    arrays: Mapping[str, np.ndarray], rows: Rows, scaled: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Values to score and to learn from, (entries,) each; the scaler learns the rows, in place."""
    if not scaled:
        return rows.values, rows.values
    before, after = np.empty_like(rows.values), np.empty_like(rows.values)
    entries = rows.indptr, rows.slots, rows.values, rows.numeric
    _learn_scales(*entries, arrays["scaler"], before, after)
    return before, after


def standing(arrays: Mapping[str, np.ndarray], rows: Rows, scaled: bool) -> np.ndarray:
    """Values with the statistics as they stand, (entries,)."""
    if not scaled:
        return rows.values
    values = np.empty_like(rows.values)
    _standardise(rows.slots, rows.values, rows.numeric, arrays["scaler"], values)
    return values


@njit
def _learn_scales(
    indptr: np.ndarray,
    slots: np.ndarray,
    values: np.ndarray,
    numeric: np.ndarray,
    scaler: np.ndarray,
    before: np.ndarray,
    after: np.ndarray,
) -> None:
    """Standardised ``values`` before and after the scaler learned their sample, (entries,) each.

    ``scaler`` (slots, 3) learns all samples of ``indptr``, in place; every slot must be known.
    """
    for sample in range(len(indptr) - 1):
        for entry in range(indptr[sample], indptr[sample + 1]):
            before[entry] = values[entry]
            if numeric[entry]:
                before[entry] = _standardised(scaler, slots[entry], values[entry])
        for entry in range(indptr[sample], indptr[sample + 1]):
            after[entry] = values[entry]
            if numeric[entry]:
                slot = slots[entry]
                count = scaler[slot, COUNT] + 1.0
                mean, deviations = scaling.learned(
                    scaler[slot, MEAN], scaler[slot, DEVIATIONS], values[entry], 1.0 / count
                )
                scaler[slot, COUNT] = count
                scaler[slot, MEAN] = mean
                scaler[slot, DEVIATIONS] = deviations
                after[entry] = _standardised(scaler, slot, values[entry])


@njit
def _standardise(
    slots: np.ndarray,
    values: np.ndarray,
    numeric: np.ndarray,
    scaler: np.ndarray,
    scaled: np.ndarray,
) -> None:
    """``scaled`` (entries,) with the statistics as they stand; unknown slots, -1, are left out."""
    for entry in range(len(values)):
        scaled[entry] = values[entry]
        if numeric[entry] and slots[entry] >= 0:
            scaled[entry] = _standardised(scaler, slots[entry], values[entry])


@njit
def _standardised(scaler: np.ndarray, slot: int, value: float) -> float:
    mean = scaler[slot, MEAN]
    variance = scaler[slot, DEVIATIONS] / scaler[slot, COUNT]
    return (value - mean) * scaling.inverse_deviation(mean, variance)
