"""The compiled elementwise part of a mini-batch: gradients of the loss, and the optimizer's steps.

Compiled once for float64 arrays and once for float32; the arithmetic of a step is float64 in both.
"""

from __future__ import annotations

import numpy as np

from flink_ol.core import losses, optimizers
from flink_ol.core.compiled import njit
from flink_ol.core.optimizers import adam, adamw


@njit
def loss_gradients(
    loss: int,
    parameters: tuple[float, ...],
    scores: np.ndarray,
    labels: np.ndarray,
    importance: np.ndarray,
    divisor: float,
    result: np.ndarray,
) -> None:
    """Gradient of a loss with respect to the raw ``scores``, into ``result``.

    Both (samples, outputs) float64. The loss is the sum of importance times loss over the samples,
    divided by ``divisor``: their number, for a mini-batch's.
    """
    for sample in range(len(labels)):
        losses.gradients(loss, parameters, scores[sample], labels[sample], result[sample])
        factor = importance[sample] / divisor
        for output in range(scores.shape[1]):
            result[sample, output] *= factor


@njit
def step(
    optimizer: int,
    parameters: tuple[float, ...],
    rate: float,
    t: float,
    l2: float,
    rows: np.ndarray,
    gradients: np.ndarray,
    weights: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
) -> None:
    """One step of the ``rows`` of ``weights`` and its accumulators, in place.

    ``gradients`` (len(rows), units); the others (any, units), an accumulator that the optimizer
    does not have is (0, units). ``t``: number of the step, from 1. ``l2`` times the weight joins
    the gradient.
    """
    has_first, has_second = len(first) > 0, len(second) > 0
    if optimizer == adam.CODE or optimizer == adamw.CODE:
        decay = 1.0 - rate * parameters[3] if optimizer == adamw.CODE else 1.0
        adam.step_rows(parameters, rate, t, l2, decay, rows, gradients, weights, first, second)
        return
    for i in range(len(rows)):
        row = rows[i]
        for unit in range(weights.shape[1]):
            weight = np.float64(weights[row, unit])
            a = np.float64(first[row, unit]) if has_first else 0.0
            b = np.float64(second[row, unit]) if has_second else 0.0
            whole = np.float64(gradients[i, unit]) + l2 * weight
            weight, a, b = optimizers.step(optimizer, parameters, weight, a, b, whole, rate, t)
            weights[row, unit] = weight
            if has_first:
                first[row, unit] = a
            if has_second:
                second[row, unit] = b


@njit
def derive(
    optimizer: int,
    parameters: tuple[float, ...],
    rows: np.ndarray,
    weights: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
) -> None:
    """The ``rows`` of ``weights`` anew from the optimizer's accumulators; all (any, units)."""
    for row in rows:
        for unit in range(weights.shape[1]):
            weights[row, unit] = optimizers.derived(
                optimizer,
                parameters,
                np.float64(weights[row, unit]),
                np.float64(first[row, unit]) if len(first) > 0 else 0.0,
                np.float64(second[row, unit]) if len(second) > 0 else 0.0,
            )
