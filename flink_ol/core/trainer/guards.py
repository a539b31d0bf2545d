"""Guards of the model against single samples: numbers that would lead out of the finite ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flink_ol.core.features.appending import without_rows
from flink_ol.core.samples import Rejection, Samples, in_order, rejected_of

_LARGEST = 1e150
_TOO_LARGE = (
    f"the square of a number of it is infinite, or near it (at most {_LARGEST:g} is learned)"
)
NOT_FINITE = (
    "learning from it makes the model infinite or not a number: check the sample's scale, or "
    "lower optimizer.learning_rate"
)


def within_bounds(
    samples: Samples, rejections: Sequence[Rejection]
) -> tuple[Samples, Sequence[Rejection]]:
    """A batch with the samples rejected whose numbers are finite, and their squares are not.

    Running statistics would take one in, and no later sample of its feature could be learned.
    """
    beyond = np.abs(samples.values) > _LARGEST
    if not beyond.any():
        return samples, rejections
    fine = np.ones(len(samples), bool)
    fine[np.searchsorted(samples.indptr, np.flatnonzero(beyond), "right") - 1] = False
    refused = rejected_of(samples, fine, _TOO_LARGE, rejections)
    return without_rows(samples, ~fine), in_order([*rejections, *refused])
