"""Running minima and maxima: one row of count, least and most per feature slot.

A number becomes its place between the least and the most that was met, itself included: so it is
always in 0..1, when it is scored, when it is learned from and in an answer, where a value beyond
what was learned is 0 or 1. A feature that never differed is 0. Categories stay as they are.
"""

from __future__ import annotations

import numpy as np

from flink_ol.core.compiled import njit

COUNT, LEAST, MOST = 0, 1, 2  # columns; least and most are 0 where count is


@njit
def placed(value: float, least: float, most: float) -> float:
    """Place of ``value`` in least..most, 0..1; 0 where they are equal."""
    # of halves, because the distance of two finite numbers need not be one
    width = 0.5 * most - 0.5 * least
    return min(1.0, (0.5 * value - 0.5 * least) / width) if width > 0.0 else 0.0


@njit
def place(
    slots: np.ndarray,
    values: np.ndarray,
    numeric: np.ndarray,
    extremes: np.ndarray,
    learns: bool,
) -> np.ndarray:
    """Places of the numbers among ``values``, the others as they are: (entries,) float64.

    ``extremes`` (slots, 3) is updated entry by entry if ``learns``. Slots of -1 are left out.
    """
    found = values.copy()
    for entry in range(len(values)):
        slot = slots[entry]
        if slot < 0 or not numeric[entry]:
            continue
        value = values[entry]
        least = most = value
        if extremes[slot, COUNT] > 0.0:
            least, most = min(value, extremes[slot, LEAST]), max(value, extremes[slot, MOST])
        if learns:
            extremes[slot, COUNT] += 1.0
            extremes[slot, LEAST], extremes[slot, MOST] = least, most
        found[entry] = placed(value, least, most)
    return found


@njit
def batch_extremes(
    ranks: np.ndarray, values: np.ndarray, numeric: np.ndarray, touched: int
) -> np.ndarray:
    """Count, least and most of one batch alone, (touched, 3); ``ranks``: an entry's row."""
    extremes = np.zeros((touched, 3))
    for entry in range(len(values)):
        if numeric[entry]:
            row, value = ranks[entry], values[entry]
            first = extremes[row, COUNT] == 0.0
            extremes[row, COUNT] += 1.0
            extremes[row, LEAST] = value if first else min(value, extremes[row, LEAST])
            extremes[row, MOST] = value if first else max(value, extremes[row, MOST])
    return extremes
