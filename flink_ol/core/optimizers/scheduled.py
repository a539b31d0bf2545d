"""What optimizers share whose rate follows a schedule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt

from flink_ol.core.fields import Section
from flink_ol.core.optimizers.schedules import Constant, Schedule


@dataclass(frozen=True, kw_only=True)
class Scheduled(Section):
    """Rates: of the weights by a schedule, of single features, of the intercept."""

    described: ClassVar[Mapping[str, str]] = {
        "learning_rate": "Rate of the weights.",
        "intercept_learning_rate": "Rate of the intercept by plain gradient descent, constant; "
        "null: it steps like a weight.",
        "feature_learning_rates": "Rates of features by name, in place of learning_rate; the "
        "schedule acts on them too.",
        "schedule": "How the rate of the weights changes with the samples learned.",
        "warm_up": "Samples over which the rate of the weights rises in a straight line to its "
        "full value.",
    }

    learning_rate: Annotated[float, Gt(0)] = 0.01
    intercept_learning_rate: Annotated[float, Ge(0)] | None = None
    feature_learning_rates: dict[str, Annotated[float, Gt(0)]] = field(default_factory=dict)
    schedule: Schedule = field(default_factory=Constant)
    warm_up: Annotated[int, Ge(0)] = 0

    def rates(self) -> dict[str, Any]:
        """The fields of Kind that follow."""
        return {
            "learning_rate": self.learning_rate,
            "intercept_rate": self.intercept_learning_rate,
            "feature_rates": tuple(self.feature_learning_rates.items()),
            "schedule": self.schedule.compiled(),
            "warm_up": self.warm_up,
        }
