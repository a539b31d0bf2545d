"""What bounds gradients and weights: clipping by value and by norm, and L1.

Clipping concerns the gradient of a sample's loss before L2 joins it, as in PyTorch, where decay is
the optimizer's. L1 is the truncated gradient of Langford, Li, Zhang 2009 with truncation at every
step and no threshold: after its step a weight moves towards 0 by rate * l1, and not beyond. Like
L2 it is for the weights of the sample's features, never for the intercept.
"""

from __future__ import annotations

import math

import numpy as np

from flink_ol.core.compiled import njit


@njit
def norm_factor(
    gradients: np.ndarray, importance: float, x: np.ndarray, length: int, one: float, limit: float
) -> float:
    """Factor that brings the norm of a sample's gradient down to ``limit``.

    Over all outputs, the ``length`` features and, where ``one`` is 1, the intercept.
    """
    squares = one
    for i in range(length):
        squares += x[i] * x[i]
    total = 0.0
    for output in range(len(gradients)):
        total += gradients[output] * gradients[output]
    norm = math.sqrt(total * squares) * abs(importance)
    return limit / norm if norm > limit else 1.0


@njit
def clipped(value: float, limit: float) -> float:
    """``value`` brought into [-limit, limit]; a limit of 0 is none."""
    if limit > 0.0:
        if value > limit:
            return limit
        if value < -limit:
            return -limit
    return value


@njit
def truncated(weight: float, by: float) -> float:
    """``weight`` moved towards 0 by at most ``by``."""
    if weight > by:
        return weight - by
    if weight < -by:
        return weight + by
    # what is not a number stays so
    return weight * 0.0
