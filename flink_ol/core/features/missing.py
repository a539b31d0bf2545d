"""Numbers that the model knows and a sample lacks: left out, or put in.

- ``skip``: absent features take part in nothing.
- ``zero``: as if the record said 0: scored, learned from and counted in the statistics as 0.
  Unscaled, a 0 changes no score and no weight, so it is the same as ``skip``.
- ``mean``: the mean of the values met before. Standardised it is 0 and changes nothing, so it is
  the same as ``skip``. It is not counted in the statistics: nothing was observed.

A feature is known from the sample after the first that has it. What is put in makes rows dense, so
it is for the first 1,024 numbers that a model meets; further ones are skipped. Where penalties are
on, a feature that was put in counts as one of the sample, as if the record had it.
"""

from __future__ import annotations

import numpy as np

from flink_ol.core.compiled import njit
from flink_ol.core.features import extremes as places
from flink_ol.core.features import scaling

MOST_KNOWN = 1024  # features that are put in: 25 kB a sample

ZERO, MEAN, PLACED_MEAN = 0, 1, 2  # what is put in; the last as its place between extremes


@njit
def absent(
    indptr: np.ndarray,
    slots: np.ndarray,
    values: np.ndarray,
    numeric: np.ndarray,
    counts: np.ndarray,
    means: np.ndarray,
    extremes: np.ndarray,
    kind: int,
    learns: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the rows lack: sizes (samples,), slots and values (sum of sizes,).

    ``counts`` (slots,): above 0 for known numbers; ``means`` and ``extremes`` (slots, 3): of the
    state, or without rows where ``kind`` needs none. All three are continued by the samples if
    ``learns``: give copies. Slots of -1 are left out.
    """
    known = np.empty(MOST_KNOWN, np.int64)
    size = 0
    for slot in range(len(counts)):
        if counts[slot] > 0.0 and size < MOST_KNOWN:
            known[size] = slot
            size += 1
    last = np.full(len(counts), -1, np.int64)  # row that has the feature
    sizes = np.zeros(len(indptr) - 1, np.int64)
    room = max(16, size * len(sizes))
    filled, numbers, total = np.empty(room, np.int64), np.empty(room), 0
    for row in range(len(sizes)):
        for entry in range(indptr[row], indptr[row + 1]):
            if slots[entry] >= 0:
                last[slots[entry]] = row
        if total + size > room:
            room = 2 * (total + size)
            more, more_numbers = np.empty(room, np.int64), np.empty(room)
            more[:total], more_numbers[:total] = filled[:total], numbers[:total]
            filled, numbers = more, more_numbers
        for i in range(size):
            slot = known[i]
            if last[slot] == row:
                continue
            value = 0.0
            if kind != ZERO:
                value = means[slot, scaling.MEAN]
            if kind == PLACED_MEAN:
                least, most = extremes[slot, places.LEAST], extremes[slot, places.MOST]
                value = places.placed(value, least, most)
            filled[total], numbers[total] = slot, value
            total += 1
            sizes[row] += 1
        if not learns:
            continue
        for entry in range(indptr[row], indptr[row + 1]):
            slot, value = slots[entry], values[entry]
            if slot < 0 or not numeric[entry]:
                continue
            if counts[slot] == 0.0 and size < MOST_KNOWN:
                known[size] = slot
                size += 1
            counts[slot] += 1.0
            if kind != ZERO:
                count = means[slot, scaling.COUNT] + 1.0
                means[slot, scaling.COUNT] = count
                means[slot, scaling.MEAN] += (value - means[slot, scaling.MEAN]) / count
            if kind == PLACED_MEAN:
                first = extremes[slot, places.COUNT] == 0.0
                extremes[slot, places.COUNT] += 1.0
                least, most = extremes[slot, places.LEAST], extremes[slot, places.MOST]
                extremes[slot, places.LEAST] = value if first else min(value, least)
                extremes[slot, places.MOST] = value if first else max(value, most)
    return sizes, filled[:total].copy(), numbers[:total].copy()
