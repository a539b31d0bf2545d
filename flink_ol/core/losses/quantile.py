"""Quantile (pinball) loss: level * e where e = y - p is positive, (level - 1) * e else.

Koenker, Bassett 1978. The gradient is -level below the target and 1 - level above it, as in River
and Vowpal Wabbit; 0 where they meet, as in the latter.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from annotated_types import Gt, Lt

from flink_ol.core.compiled import njit
from flink_ol.core.fields import Section
from flink_ol.core.losses import squared
from flink_ol.core.losses.kind import Loss, padded

CODE = 7


@dataclass(frozen=True, kw_only=True)
class Quantile(Section):
    """The value that the target stays below with the probability ``level``."""

    TASKS: ClassVar[tuple[str, ...]] = ("regression",)

    name: Literal["quantile"] = "quantile"
    level: Annotated[float, Gt(0), Lt(1)] = 0.5
    """0.5: the median."""

    def kind(self) -> Loss:
        """What the kernels and the learner need to know."""
        return Loss(
            "quantile",
            CODE,
            functools.partial(value, level=self.level),
            squared.predict,
            padded(self.level),
        )


def value(scores: np.ndarray, labels: np.ndarray, level: float) -> np.ndarray:
    """Losses (samples,) of raw ``scores`` (samples, 1)."""
    below = labels - scores[:, 0]
    return np.maximum(level * below, (level - 1.0) * below)


@njit
def gradient(parameters: tuple[float, ...], score: float, label: float) -> float:
    """With respect to the raw score; ``parameters``: level."""
    if score == label:
        return 0.0
    return -parameters[0] if score < label else 1.0 - parameters[0]
