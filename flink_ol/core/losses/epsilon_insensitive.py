"""Epsilon-insensitive loss: max(0, |p - y| - epsilon); Vapnik 1995.

The gradient is the sign of p - y outside the tube and 0 inside and on its edge, as in River and
scikit-learn.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from annotated_types import Ge

from flink_ol.core.compiled import njit
from flink_ol.core.fields import Section
from flink_ol.core.losses import squared
from flink_ol.core.losses.kind import Loss, padded

CODE = 6


@dataclass(frozen=True, kw_only=True)
class EpsilonInsensitive(Section):
    """Absolute error beyond a tube: support vector regression."""

    TASKS: ClassVar[tuple[str, ...]] = ("regression",)

    name: Literal["epsilon_insensitive"] = "epsilon_insensitive"
    epsilon: Annotated[float, Ge(0)] = 0.1
    """Errors up to this size cost nothing, in units of the target; 0: absolute error."""

    def kind(self) -> Loss:
        """What the kernels and the learner need to know."""
        return Loss(
            "epsilon_insensitive",
            CODE,
            functools.partial(value, epsilon=self.epsilon),
            squared.predict,
            padded(self.epsilon),
        )


def value(scores: np.ndarray, labels: np.ndarray, epsilon: float) -> np.ndarray:
    """Losses (samples,) of raw ``scores`` (samples, 1)."""
    return np.maximum(0.0, np.abs(scores[:, 0] - labels) - epsilon)


@njit
def gradient(parameters: tuple[float, ...], score: float, label: float) -> float:
    """With respect to the raw score; ``parameters``: epsilon."""
    error = score - label
    if abs(error) <= parameters[0]:
        return 0.0
    return math.copysign(1.0, error)
