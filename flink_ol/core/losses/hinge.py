"""Hinge loss on labels {0, 1}: max(0, 1 - s * raw) with s = 2 y - 1; gradient -s below margin 1.

At margin 1 the gradient is 0, as River and Vowpal Wabbit have it. Its raw score is no log odds:
the probability that it answers with, the logistic function of the raw score, orders and decides
as the margin does but is not calibrated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from flink_ol.core.compiled import njit
from flink_ol.core.fields import Section
from flink_ol.core.losses import logistic
from flink_ol.core.losses.kind import Loss

CODE = 3


@dataclass(frozen=True, kw_only=True)
class Hinge(Section):
    """Linear support vector machine; its probabilities are not calibrated."""

    TASKS: ClassVar[tuple[str, ...]] = ("binary",)

    name: Literal["hinge"] = "hinge"

    def kind(self) -> Loss:
        """What the kernels and the learner need to know."""
        return Loss("hinge", CODE, value, logistic.predict)


def value(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Losses (samples,) of raw ``scores`` (samples, 1)."""
    return np.maximum(0.0, 1.0 - (2.0 * labels - 1.0) * scores[:, 0])


@njit
def gradient(score: float, label: float) -> float:
    """With respect to the raw score."""
    side = 2.0 * label - 1.0
    return -side if side * score < 1.0 else 0.0
