"""The summed gradient of factorization machines at fixed parameters, in sample order."""

from __future__ import annotations

import numpy as np

from flink_ol.core import losses
from flink_ol.core.compiled import njit
from flink_ol.core.families.fm_loops import Arrays, Settings, sample_gradients, sample_scores
from flink_ol.core.families.linear_loops import Rows


@njit
def gradient(
    settings: Settings,
    rows: Rows,
    values: np.ndarray,
    ranks: np.ndarray,
    arrays: Arrays,
    scores: np.ndarray,
    of_weights: np.ndarray,
    of_factors: np.ndarray,
    of_intercept: np.ndarray,
) -> None:
    """Score and add up importance times the gradient of every sample's loss, without penalties.

    ``values`` (entries,): as the weights meet them, in place of those of ``rows``; ``ranks``
    (entries,): an entry's row of ``of_weights`` (touched, outputs) and ``of_factors`` (touched,
    outputs * k). ``of_intercept`` (1, outputs). ``scores`` (samples, outputs) are raw. The three
    sums are added to; every slot must be known.
    """
    indptr, slots, labels, importance = rows.indptr, rows.slots, rows.labels, rows.importance
    weights, factors, intercept = arrays.weights, arrays.factors, arrays.intercept
    loss, loss_parameters = settings.loss, settings.loss_parameters
    outputs = scores.shape[1]
    longest = 0
    for sample in range(len(labels)):
        longest = max(longest, indptr[sample + 1] - indptr[sample])
    sums, along = np.empty(factors.shape[1]), np.empty(outputs)
    own_weights = np.empty((longest, outputs))
    own_factors = np.empty((longest, factors.shape[1]))
    for sample in range(len(labels)):
        start, end = indptr[sample], indptr[sample + 1]
        here, x = slots[start:end], values[start:end]
        sample_scores(intercept, weights, factors, here, x, sums, scores[sample])
        if outputs == 1:
            along[0] = losses.gradient(loss, loss_parameters, scores[sample, 0], labels[sample])
        else:
            losses.gradients(loss, loss_parameters, scores[sample], labels[sample], along)
        for output in range(outputs):
            along[output] *= importance[sample]
            of_intercept[0, output] += along[output]
        sample_gradients(factors, here, x, sums, along, own_weights, own_factors)
        for i in range(end - start):
            row = ranks[start + i]
            for output in range(outputs):
                of_weights[row, output] += own_weights[i, output]
            for f in range(factors.shape[1]):
                of_factors[row, f] += own_factors[i, f]
