"""AdaGrad: every coordinate's rate falls with the squares of its own gradients.

Duchi, Hazan, Singer 2011; with eps inside the root, as River has it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt

from flink_ol.core.compiled import njit
from flink_ol.core.optimizers.kind import Kind
from flink_ol.core.optimizers.scheduled import Scheduled

CODE = 1


@dataclass(frozen=True, kw_only=True)
class AdaGrad(Scheduled):
    """Per-coordinate rates from the sums of squared gradients."""

    name: Literal["adagrad"] = "adagrad"
    learning_rate: Annotated[float, Gt(0)] = 0.1
    """Rate of the weights before it falls."""
    intercept_learning_rate: Annotated[float, Ge(0)] | None = 0.01
    """Rate of the intercept by plain gradient descent, constant; null: it steps like a weight."""
    eps: Annotated[float, Gt(0)] = 1e-8
    """Added to the squares inside the root."""

    def kind(self) -> Kind:
        """What the kernels and the state need to know.

        Squares are averaged: each worker among K counts its own K times.
        """
        return Kind(
            code=CODE,
            parameters=(self.eps,),
            scales_with_workers=True,
            accumulators=(("squares", "mean"),),
            **self.rates(),
        )


@njit
def step(
    parameters: tuple[float, ...],
    weight: float,
    squares: float,
    gradient: float,
    rate: float,
    times: float,
) -> tuple[float, float]:
    """Weight and sum of squares, where the gradient's counts ``times`` times, after one step."""
    squares += times * (gradient * gradient)
    return weight - rate * gradient / math.sqrt(squares + parameters[0]), squares
