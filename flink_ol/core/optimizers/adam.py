"""Adam: momentum over the root of a decaying mean of squared gradients, both corrected for bias.

Kingma, Ba 2015, algorithm 1. The number of the step is that of the model, not of the coordinate,
and absent features keep means and weight: as in River, and in PyTorch's SparseAdam.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt, Lt

from flink_ol.core.compiled import njit
from flink_ol.core.optimizers.kind import Kind
from flink_ol.core.optimizers.scheduled import Scheduled

CODE = 6


@dataclass(frozen=True, kw_only=True)
class Adam(Scheduled):
    """Per-coordinate rates from the first two moments of the gradients."""

    name: Literal["adam"] = "adam"
    beta_1: Annotated[float, Ge(0), Lt(1)] = 0.9
    """Share of the mean gradient that stays at every step."""
    beta_2: Annotated[float, Ge(0), Lt(1)] = 0.999
    """Share of the mean square that stays at every step."""
    eps: Annotated[float, Gt(0)] = 1e-8
    """Added to the root of the mean square."""

    def kind(self) -> Kind:
        """What the kernels and the state need to know: both means are averaged."""
        return Kind(
            code=CODE,
            parameters=(self.beta_1, self.beta_2, self.eps),
            scales_with_workers=True,
            accumulators=(("mean_gradient", "mean"), ("mean_square", "mean")),
            numbered=True,
            **self.rates(),
        )


@njit
def step(
    parameters: tuple[float, ...],
    weight: float,
    mean: float,
    square: float,
    gradient: float,
    rate: float,
    t: float,
) -> tuple[float, float, float]:
    """Weight, mean gradient and mean square after step number ``t``."""
    beta_1, beta_2, eps = parameters[:3]
    mean = beta_1 * mean + (1.0 - beta_1) * gradient
    # differences of workers that forgot the same past can take away more of it than there is
    square = beta_2 * max(square, 0.0) + (1.0 - beta_2) * gradient * gradient
    unbiased = mean / (1.0 - beta_1**t)
    root = math.sqrt(square / (1.0 - beta_2**t))
    return weight - rate * unbiased / (root + eps), mean, square


@njit
def step_rows(
    parameters: tuple[float, ...],
    rate: float,
    t: float,
    l2: float,
    decay: float,
    rows: np.ndarray,
    gradients: np.ndarray,
    weights: np.ndarray,
    means: np.ndarray,
    squares: np.ndarray,
) -> None:
    """:func:`step` of every number in the ``rows`` of ``weights``, to the last bit, in place.

    ``gradients`` (len(rows), units); the others (any, units). ``l2`` times the weight joins the
    gradient, ``decay`` multiplies the weight before the step.
    """
    # what all numbers share is computed once, and the loop is one that vectorises
    beta_1, beta_2, eps = parameters[:3]
    first_bias, second_bias = 1.0 - beta_1**t, 1.0 - beta_2**t
    for i in range(len(rows)):
        weight, mean, square = weights[rows[i]], means[rows[i]], squares[rows[i]]
        along = gradients[i]
        for unit in range(len(weight)):
            before = np.float64(weight[unit])
            whole = np.float64(along[unit]) + l2 * before
            m = beta_1 * np.float64(mean[unit]) + (1.0 - beta_1) * whole
            old = max(float(square[unit]), 0.0)
            q = beta_2 * old + (1.0 - beta_2) * whole * whole
            root = math.sqrt(q / second_bias)
            weight[unit] = before * decay - rate * (m / first_bias) / (root + eps)
            mean[unit] = m
            square[unit] = q
