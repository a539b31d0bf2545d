"""Squared hinge loss on labels {0, 1}: max(0, 1 - s * raw)^2 with s = 2 y - 1.

Gradient -2 s max(0, 1 - s * raw), scikit-learn's convention. The probability that it answers with
is the logistic function of the raw score, not calibrated, as for hinge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from flink_ol.core.compiled import njit
from flink_ol.core.fields import Section
from flink_ol.core.losses import logistic
from flink_ol.core.losses.kind import Loss

CODE = 4


@dataclass(frozen=True, kw_only=True)
class SquaredHinge(Section):
    """Support vector machine with a smooth margin; its probabilities are not calibrated."""

    TASKS: ClassVar[tuple[str, ...]] = ("binary",)

    name: Literal["squared_hinge"] = "squared_hinge"

    def kind(self) -> Loss:
        """What the kernels and the learner need to know."""
        return Loss("squared_hinge", CODE, value, logistic.predict)


def value(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Losses (samples,) of raw ``scores`` (samples, 1)."""
    return np.maximum(0.0, 1.0 - (2.0 * labels - 1.0) * scores[:, 0]) ** 2


@njit
def gradient(score: float, label: float) -> float:
    """With respect to the raw score."""
    side = 2.0 * label - 1.0
    return -2.0 * side * max(0.0, 1.0 - side * score)
