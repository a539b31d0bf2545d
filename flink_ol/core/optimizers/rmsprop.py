"""RMSProp: rates from a decaying mean of squared gradients.

Tieleman, Hinton 2012; eps outside the root, as in PyTorch. Absent features keep mean and weight.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Lt

from flink_ol.core.compiled import njit
from flink_ol.core.optimizers.kind import Kind
from flink_ol.core.optimizers.scheduled import Scheduled

CODE = 5


@dataclass(frozen=True, kw_only=True)
class RmsProp(Scheduled):
    """Per-coordinate rates from the recent size of the gradients."""

    name: Literal["rmsprop"] = "rmsprop"
    decay: Annotated[float, Ge(0), Lt(1)] = 0.99
    """Share of the mean square that stays at every step."""
    eps: Annotated[float, Gt(0)] = 1e-8
    """Added to the root of the mean square."""

    def kind(self) -> Kind:
        """What the kernels and the state need to know: mean squares are averaged."""
        return Kind(
            code=CODE,
            parameters=(self.decay, self.eps),
            scales_with_workers=True,
            accumulators=(("mean_square", "mean"),),
            **self.rates(),
        )


@njit
def step(
    parameters: tuple[float, ...], weight: float, mean_square: float, gradient: float, rate: float
) -> tuple[float, float]:
    """Weight and mean square after one step."""
    decay, eps = parameters[:2]
    # below 0 by the differences of several workers, as in adam
    mean_square = decay * max(mean_square, 0.0) + (1.0 - decay) * gradient * gradient
    return weight - rate * gradient / (math.sqrt(mean_square) + eps), mean_square
