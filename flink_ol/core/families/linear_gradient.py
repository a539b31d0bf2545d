"""The summed gradient of linear models at fixed parameters, in sample order."""

from __future__ import annotations

import numpy as np

from flink_ol.core import losses
from flink_ol.core.compiled import njit
from flink_ol.core.families import penalties
from flink_ol.core.families.linear_loops import Rows, Settings
from flink_ol.core.families.setting import NO_INTERCEPT


@njit
def gradient(
    settings: Settings,
    rows: Rows,
    values: np.ndarray,
    ranks: np.ndarray,
    weights: np.ndarray,
    intercept: np.ndarray,
    scores: np.ndarray,
    of_weights: np.ndarray,
    of_intercept: np.ndarray,
) -> None:
    """Score and add up importance times the gradient of every sample's loss, without penalties.

    ``values`` (entries,): as the weights meet them, in place of those of ``rows``; ``ranks``
    (entries,): an entry's row of ``of_weights`` (touched, outputs). ``of_intercept`` (1, outputs).
    ``scores`` (samples, outputs) are raw. Both sums are added to; every slot must be known. Each
    sample is clipped by itself, as where it is learned from at once.
    """
    indptr, slots, labels, importance = rows.indptr, rows.slots, rows.labels, rows.importance
    loss, loss_parameters = settings.loss, settings.loss_parameters
    clip_value, clip_norm = settings.clip_value, settings.clip_norm
    one = 0.0 if settings.intercept == NO_INTERCEPT else 1.0
    outputs = scores.shape[1]
    along = np.empty(outputs)
    for sample in range(len(labels)):
        start, end = indptr[sample], indptr[sample + 1]
        for output in range(outputs):
            total = intercept[0, output]
            for entry in range(start, end):
                total += weights[slots[entry], output] * values[entry]
            scores[sample, output] = total
        if outputs == 1:
            along[0] = losses.gradient(loss, loss_parameters, scores[sample, 0], labels[sample])
        else:
            losses.gradients(loss, loss_parameters, scores[sample], labels[sample], along)
        shrink = importance[sample]
        if clip_norm > 0.0:
            x = values[start:end]
            shrink *= penalties.norm_factor(along, shrink, x, end - start, one, clip_norm)
        for output in range(outputs):
            gradient = along[output] * shrink
            if one > 0.0:
                of_intercept[0, output] += penalties.clipped(gradient, clip_value)
            for entry in range(start, end):
                part = penalties.clipped(gradient * values[entry], clip_value)
                of_weights[ranks[entry], output] += part
