"""Squared loss without one half: (p - y)^2, gradient 2 (p - y), as River and PyTorch have it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from flink_ol.core.compiled import njit
from flink_ol.core.fields import Section
from flink_ol.core.losses.kind import Loss

CODE = 1


@dataclass(frozen=True, kw_only=True)
class Squared(Section):
    """Least squares: the mean."""

    TASKS: ClassVar[tuple[str, ...]] = ("regression",)

    name: Literal["squared"] = "squared"

    def kind(self) -> Loss:
        """What the kernels and the learner need to know."""
        return Loss("squared", CODE, value, predict)


def value(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Losses (samples,) of raw ``scores`` (samples, 1)."""
    return (scores[:, 0] - labels) ** 2


def predict(scores: np.ndarray) -> np.ndarray:
    """Values (samples,): the raw scores."""
    return scores[:, 0].copy()


@njit
def gradient(score: float, label: float) -> float:
    """With respect to the raw score."""
    return 2.0 * (score - label)
