"""Labels as users write them, and as the core counts them."""

from __future__ import annotations

import math
from typing import Any

from flink_ol.core.config import Classes, Task
from flink_ol.core.wording import shown


class Labels:
    """One task's labels: ``encode`` what a record says, ``decode`` what the model answers.

    binary: true/false, 0/1 or -1/1, or the two names in ``classes``, negative first. multiclass:
    the names in ``classes``, or integers below the number given. regression: finite numbers, not
    below ``least_target``.
    """

    def __init__(self, task: Task, classes: Classes, least_target: float = -math.inf) -> None:
        self.task, self.least_target = task, least_target
        self.index: dict[Any, float] = {}  # by label; binary takes True for 1 and -1 for 0
        if isinstance(classes, tuple):
            self._labels: tuple[Any, ...] = classes
            self.index = {label: float(i) for i, label in enumerate(classes)}
        elif task == "binary":
            self._labels = (0, 1)
            self.index = {0: 0.0, 1: 1.0, -1: 0.0}
        elif isinstance(classes, int):
            self._labels = tuple(range(classes))
            self.index = {label: float(label) for label in self._labels}

    def encode(self, value: Any) -> float:
        """Class index, or target; ValueError that says what is allowed instead."""
        if self.task == "regression":
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not (number and math.isfinite(value)):
                raise ValueError(f"{shown(value)} is not a finite number")
            if value < self.least_target:
                least = f"{self.least_target:g}"
                raise ValueError(
                    f"{shown(value)} is not allowed by the loss; give at least {least}"
                )
            return float(value)
        truth_value = isinstance(value, bool) and (self.task != "binary" or self._named)
        if isinstance(value, str | int | float) and not truth_value and value in self.index:
            return self.index[value]
        raise ValueError(f"{shown(value)} is no label; give {self._allowed}")

    def decode(self, index: int) -> Any:
        """The label of a class as users write it; 0 and 1 where binary classes have no names."""
        return self._labels[index]

    @property
    def _named(self) -> bool:
        return self._labels != (0, 1)

    @property
    def _allowed(self) -> str:
        if self.task == "binary" and not self._named:
            return "true or false, 1 or 0, 1 or -1; other names go into classes"
        if len(self._labels) > 20:
            first, last = self._labels[0], self._labels[-1]
            return f"one of the {len(self._labels)} classes {first!r} to {last!r}"
        return "one of " + ", ".join(map(repr, self._labels))
