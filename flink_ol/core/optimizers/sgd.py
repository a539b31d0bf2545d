"""Stochastic gradient descent: w -= rate * gradient."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from annotated_types import Ge, Gt

from flink_ol.core.compiled import njit
from flink_ol.core.fields import Section
from flink_ol.core.optimizers.kind import Kind
from flink_ol.core.optimizers.schedules import Constant, Schedule

CODE = 0


@dataclass(frozen=True, kw_only=True)
class Sgd(Section):
    """Stochastic gradient descent; keeps no state of its own."""

    name: Literal["sgd"] = "sgd"
    learning_rate: Annotated[float, Gt(0)] = 0.01
    """Rate of the weights."""
    intercept_learning_rate: Annotated[float, Ge(0)] = 0.01
    """Rate of the intercept, constant."""
    schedule: Schedule = field(default_factory=Constant)
    """How the rate of the weights changes with the samples learned."""
    warm_up: Annotated[int, Ge(0)] = 0
    """Samples over which the rate of the weights rises in a straight line to its full value."""

    def kind(self) -> Kind:
        """What the kernels and the state need to know."""
        return Kind(
            code=CODE,
            parameters=(),
            learning_rate=self.learning_rate,
            intercept_rate=self.intercept_learning_rate,
            scales_with_workers=True,
            schedule=self.schedule.compiled(),
            warm_up=self.warm_up,
        )


@njit
def step(weight: float, gradient: float, rate: float) -> float:
    """The weight after one step."""
    return weight - rate * gradient
