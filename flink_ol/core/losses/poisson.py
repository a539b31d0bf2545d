"""Poisson loss with log link, for counts: half the deviance, exp(raw) - y - y (raw - log y).

Gradient exp(raw) - y, as River, Vowpal Wabbit and PyTorch's PoissonNLLLoss have it; half the
deviance differs from the negative log likelihood by what does not depend on the raw score, so that
a perfect answer costs nothing. Targets are at least 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from flink_ol.core.compiled import njit
from flink_ol.core.fields import Section
from flink_ol.core.losses.kind import Loss

CODE = 8


@dataclass(frozen=True, kw_only=True)
class Poisson(Section):
    """Counts, by the logarithm of their mean; targets of at least 0."""

    TASKS: ClassVar[tuple[str, ...]] = ("regression",)

    name: Literal["poisson"] = "poisson"

    def kind(self) -> Loss:
        """What the kernels and the learner need to know."""
        return Loss("poisson", CODE, value, predict, least_target=0.0)


def value(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Losses (samples,) of raw ``scores`` (samples, 1)."""
    logarithm = np.log(np.where(labels > 0.0, labels, 1.0))
    return np.exp(scores[:, 0]) - labels - labels * (scores[:, 0] - logarithm)


def predict(scores: np.ndarray) -> np.ndarray:
    """Expected counts (samples,)."""
    return np.exp(scores[:, 0])


@njit
def gradient(score: float, label: float) -> float:
    """With respect to the raw score, the logarithm of the expected count."""
    return math.exp(score) - label
