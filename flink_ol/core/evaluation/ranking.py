"""ROC AUC of streams that merge: a histogram of the scores, fixed for all time.

The bins divide the logit z of the positive probability by z / (4 + |z|), so that they are fine
where scores usually lie and still tell rare events apart: 71 bins a unit at probability 1/2, 18 at
0.02 and 0.98, 6 at 1e-4; both ends are at probabilities 1e-15 from 0 and 1.

Pairs of a positive and a negative in different bins are ordered exactly, those within a bin count
one half, as ties do. So the area differs from the exact one by at most half the share of pairs
that meet in a bin, which the histogram itself knows: :func:`roc_auc` gives both.
"""

from __future__ import annotations

import math

import numpy as np

from flink_ol.core.compiled import njit

BINS = 512
SMALLEST = 1e-15  # probabilities are kept this far from 0 and 1, as in River

_SOFT = 4.0
_HALF = BINS / 2.0
_SCALE = _HALF * (1.0 + _SOFT / -math.log(SMALLEST))


@njit
def bin_of(logit: float) -> int:
    """The bin, 0 to BINS - 1, of a log odds ratio."""
    place = int(_HALF + _SCALE * logit / (_SOFT + abs(logit)))
    return min(max(place, 0), BINS - 1)


def roc_auc(histogram: np.ndarray) -> tuple[float, float] | None:
    """Area under the ROC curve and how far the exact one can be from it; None of one class only.

    ``histogram`` (2, BINS): negatives and positives, counts or weights.
    """
    negatives, positives = histogram.astype(np.float64)
    pairs = negatives.sum() * positives.sum()
    if not pairs > 0.0:
        return None
    below = np.cumsum(negatives) - negatives
    together = float(positives @ negatives)
    return float((positives @ below + together / 2.0) / pairs), float(together / 2.0 / pairs)
