"""One sample's step of the optimizer ``adaptive``, in Vowpal Wabbit 9's order of operations.

Per feature (the intercept is one with value 1): squares += importance g^2 x^2; where |x| exceeds
the feature's scale, the weight is rescaled as if the new scale had been the old one; the rate is
squares^-p scale^(2p - 2). Then the mean squared norm is updated, the size of the step is solved
for the sample as a whole, and every weight moves. Value 0 is an absent feature, and a sample
without gradient changes nothing. Unlike Vowpal Wabbit's, these are doubles with exact roots, and
the raw score is not cut to the range of the labels seen.
"""

from __future__ import annotations

import math

import numpy as np

from flink_ol.core.compiled import njit
from flink_ol.core.losses import logistic, squared

NORMS, WEIGHT = 0, 1  # columns of the array norms: importance times squared norm, importance

_SMALLEST = 1.084202e-19  # a value's size, so that its square does not vanish


@njit
def observed(
    weight: float, squares: float, scale: float, power: float, x: float, squared_gradient: float
) -> tuple[float, float, float, float, float]:
    """Weight, squares and scale after seeing value ``x``, its rate and its squared scaled size."""
    size = max(abs(x), _SMALLEST)
    squares += squared_gradient * size * size
    if size > scale:
        if scale > 0.0:
            weight *= (scale / size) ** (2.0 - 2.0 * power)
        scale = size
    rate = 1.0 / (math.sqrt(squares) if power == 0.5 else squares**power)
    rate *= scale ** (2.0 * power - 2.0) if power != 0.5 else 1.0 / scale
    return weight, squares, scale, rate, (size / scale) ** 2


@njit
def update(
    loss: int, score: float, label: float, gradient: float, scale: float, change: float
) -> float:
    """Size of a step whose importance-weighted rate is ``scale``.

    ``change``: what a step of size 1 adds to the raw score. Squared and logistic loss: the limit
    of many small steps (Karampatziakis, Langford 2011, table 1); others: along the gradient.
    """
    reach = scale * change
    if loss == squared.CODE:
        return (score - label) * math.expm1(-2.0 * reach) / change
    if loss == logistic.CODE:
        side = 2.0 * label - 1.0
        return side * _climbed(reach, math.exp(min(side * score, 700.0))) / change
    return -gradient * scale


@njit
def _climbed(reach: float, odds: float) -> float:
    """How far the margin grows: the z of z + odds (e^z - 1) = reach.

    The same as W(exp(reach + margin + odds)) - reach - odds in the table, up to its sign, without
    the cancellation. Newton's method from above on a convex function never leaves its side.
    """
    z = min(reach, math.log1p(reach / odds))
    for _ in range(50):
        step = (z + odds * math.expm1(z) - reach) / (1.0 + odds * math.exp(z))
        z -= step
        if not step > 1e-15 * z:
            break
    return z


@njit
def step(
    loss: int,
    parameters: tuple[float, ...],
    rate: float,
    score: float,
    label: float,
    importance: float,
    gradient: float,
    output: int,
    slots: np.ndarray,
    x: np.ndarray,
    weights: np.ndarray,
    squares: np.ndarray,
    scales: np.ndarray,
    has_intercept: bool,
    intercept: np.ndarray,
    intercept_squares: np.ndarray,
    intercept_scales: np.ndarray,
    norms: np.ndarray,
) -> None:
    """Learn one sample in place; ``slots`` and ``x`` (features,), arrays as in linear_loops.

    ``gradient`` and ``score`` are those of ``output``; ``norms`` (outputs, 2).
    """
    power = parameters[0]
    squared_gradient = importance * gradient * gradient
    if squared_gradient == 0.0:
        return
    rates = np.empty(len(slots))
    change, norm, own = 0.0, 0.0, 0.0
    if has_intercept:
        weight, a, b, own, size = observed(
            intercept[0, output],
            intercept_squares[0, output],
            intercept_scales[0, output],
            power,
            1.0,
            squared_gradient,
        )
        intercept[0, output] = weight
        intercept_squares[0, output] = a
        intercept_scales[0, output] = b
        change, norm = own, size
    for i in range(len(slots)):
        if x[i] != 0.0:
            slot = slots[i]
            weight, a, b, rates[i], size = observed(
                weights[slot, output],
                squares[slot, output],
                scales[slot, output],
                power,
                x[i],
                squared_gradient,
            )
            weights[slot, output] = weight
            squares[slot, output] = a
            scales[slot, output] = b
            change += x[i] * x[i] * rates[i]
            norm += size
    norms[output, NORMS] += importance * norm
    norms[output, WEIGHT] += importance
    if norm == 0.0:
        return
    # features in their scales, in the mean over the samples: few or many make no difference
    factor = (norms[output, NORMS] / norms[output, WEIGHT]) ** (power - 1.0)
    along = update(loss, score, label, gradient, rate * importance, change * factor) * factor
    if has_intercept:
        intercept[0, output] += along * own
    for i in range(len(slots)):
        if x[i] != 0.0:
            weights[slots[i], output] += along * x[i] * rates[i]
