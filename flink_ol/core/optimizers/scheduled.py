"""What optimizers share whose rate follows a schedule."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

from annotated_types import Ge, Gt

from flink_ol.core.fields import Section
from flink_ol.core.optimizers.schedules import Constant, Schedule

_DESCRIPTIONS = {
    "learning_rate": "Rate of the weights.",
    "intercept_learning_rate": "Rate of the intercept by plain gradient descent, constant; null: "
    "it steps like a weight.",
    "feature_learning_rates": "Rates of features by name, in place of learning_rate; the schedule "
    "acts on them too.",
    "schedule": "How the rate of the weights changes with the samples learned.",
    "warm_up": "Samples over which the rate of the weights rises in a straight line to its full "
    "value.",
}


@dataclass(frozen=True, kw_only=True)
class Scheduled(Section):
    """Rates: of the weights by a schedule, of single features, of the intercept."""

    learning_rate: Annotated[float, Gt(0)] = 0.01
    intercept_learning_rate: Annotated[float, Ge(0)] | None = None
    feature_learning_rates: dict[str, Annotated[float, Gt(0)]] = field(default_factory=dict)
    schedule: Schedule = field(default_factory=Constant)
    warm_up: Annotated[int, Ge(0)] = 0

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> Any:
        """The JSON schema; pydantic reads the docstrings of a class's own fields alone."""
        found = handler(schema)
        for name, field_schema in handler.resolve_ref_schema(found)["properties"].items():
            if name in _DESCRIPTIONS:
                field_schema.setdefault("description", _DESCRIPTIONS[name])
        return found

    def rates(self) -> dict[str, Any]:
        """The fields of Kind that follow."""
        return {
            "learning_rate": self.learning_rate,
            "intercept_rate": self.intercept_learning_rate,
            "feature_rates": tuple(self.feature_learning_rates.items()),
            "schedule": self.schedule.compiled(),
            "warm_up": self.warm_up,
        }
