"""AdamW: Adam with weight decay apart from the gradient.

Loshchilov, Hutter 2019, algorithm 2, in PyTorch's form: w *= 1 - rate * weight_decay, then Adam's
step. Only the features of a sample decay with it, as only they step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Lt

from flink_ol.core.compiled import njit
from flink_ol.core.optimizers import adam
from flink_ol.core.optimizers.kind import Kind
from flink_ol.core.optimizers.scheduled import Scheduled

CODE = 7


@dataclass(frozen=True, kw_only=True)
class AdamW(Scheduled):
    """Adam with decoupled weight decay."""

    name: Literal["adamw"] = "adamw"
    beta_1: Annotated[float, Ge(0), Lt(1)] = 0.9
    """Share of the mean gradient that stays at every step."""
    beta_2: Annotated[float, Ge(0), Lt(1)] = 0.999
    """Share of the mean square that stays at every step."""
    eps: Annotated[float, Gt(0)] = 1e-8
    """Added to the root of the mean square."""
    weight_decay: Annotated[float, Ge(0)] = 0.01
    """Share of the weight, times the rate, that a step takes away."""

    def kind(self) -> Kind:
        """What the kernels and the state need to know: both means are averaged."""
        return Kind(
            code=CODE,
            parameters=(self.beta_1, self.beta_2, self.eps, self.weight_decay),
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
    weight *= 1.0 - rate * parameters[3]
    return adam.step(parameters, weight, mean, square, gradient, rate, t)
