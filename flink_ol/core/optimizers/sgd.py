"""Stochastic gradient descent: w -= rate * gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge

from flink_ol.core.compiled import njit
from flink_ol.core.optimizers.kind import Kind
from flink_ol.core.optimizers.scheduled import Scheduled

CODE = 0


@dataclass(frozen=True, kw_only=True)
class Sgd(Scheduled):
    """Stochastic gradient descent; keeps no state of its own."""

    name: Literal["sgd"] = "sgd"
    intercept_learning_rate: Annotated[float, Ge(0)] | None = 0.01
    """Rate of the intercept, constant; null: that of the weights."""

    def kind(self) -> Kind:
        """What the kernels and the state need to know."""
        return Kind(
            code=CODE,
            parameters=(),
            scales_with_workers=True,
            **self.rates(),
        )


@njit
def step(weight: float, gradient: float, rate: float) -> float:
    """The weight after one step."""
    return weight - rate * gradient
