"""Guards of the model against single samples: numbers that would lead out of the finite ones."""

from __future__ import annotations

import numpy as np

from flink_ol.core.features.appending import without_rows
from flink_ol.core.samples import in_order, rejected_of
from flink_ol.core.trainer.events import BatchArrived

_LARGEST = 1e150
_TOO_LARGE = (
    f"the square of a number of it is infinite, or near it (at most {_LARGEST:g} is learned)"
)
NOT_FINITE = (
    "learning from it makes the model infinite or not a number: check the sample's scale, or "
    "lower optimizer.learning_rate"
)


def within_bounds(event: BatchArrived) -> BatchArrived:
    """The batch with the samples rejected whose numbers are finite, and their squares are not.

    Running statistics would take one in, and no later sample of its feature could be learned.
    """
    samples = event.samples
    beyond = np.abs(samples.values) > _LARGEST
    if not beyond.any():
        return event
    fine = np.ones(len(samples), bool)
    fine[np.searchsorted(samples.indptr, np.flatnonzero(beyond), "right") - 1] = False
    others = event.rejections
    rejections = in_order([*others, *rejected_of(samples, fine, _TOO_LARGE, others)])
    return event._replace(samples=without_rows(samples, ~fine), rejections=rejections)
