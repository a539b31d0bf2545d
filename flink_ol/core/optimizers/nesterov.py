"""Nesterov's momentum: v = momentum * v + gradient; w -= rate * (gradient + momentum * v).

Nesterov 1983 in the form of Sutskever et al. 2013 that steps from the point looked ahead to, as in
PyTorch's SGD. Absent features keep velocity and weight.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Lt

from flink_ol.core.compiled import njit
from flink_ol.core.optimizers.kind import Kind
from flink_ol.core.optimizers.scheduled import Scheduled

CODE = 4


@dataclass(frozen=True, kw_only=True)
class Nesterov(Scheduled):
    """Momentum that looks ahead."""

    name: Literal["nesterov"] = "nesterov"
    momentum: Annotated[float, Ge(0), Lt(1)] = 0.9
    """Share of the velocity that stays at every step."""

    def kind(self) -> Kind:
        """What the kernels and the state need to know: velocities are averaged, as weights are."""
        return Kind(
            code=CODE,
            parameters=(self.momentum,),
            scales_with_workers=True,
            accumulators=(("velocity", "mean"),),
            **self.rates(),
        )


@njit
def step(
    parameters: tuple[float, ...], weight: float, velocity: float, gradient: float, rate: float
) -> tuple[float, float]:
    """Weight and velocity after one step."""
    velocity = parameters[0] * velocity + gradient
    return weight - rate * (gradient + parameters[0] * velocity), velocity
