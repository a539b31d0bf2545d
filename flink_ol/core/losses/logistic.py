"""Logistic loss on labels {0, 1}: log(1 + exp(-s * raw)) with s = 2 y - 1; gradient p - y."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from flink_ol.core.compiled import njit
from flink_ol.core.fields import Section
from flink_ol.core.losses.kind import Loss

CODE = 0


@dataclass(frozen=True, kw_only=True)
class Logistic(Section):
    """Logistic regression: probabilities by the logistic function."""

    TASKS: ClassVar[tuple[str, ...]] = ("binary",)

    name: Literal["logistic"] = "logistic"

    def kind(self) -> Loss:
        """What the kernels and the learner need to know."""
        return Loss("logistic", CODE, value, predict)


_CERTAIN = 30.0


def value(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Losses (samples,) of raw ``scores`` (samples, 1)."""
    return np.logaddexp(0.0, (1.0 - 2.0 * labels) * scores[:, 0])


def predict(scores: np.ndarray) -> np.ndarray:
    """Probabilities (samples, 2), negative first; certain beyond raw scores of 30, as in River."""
    certain = np.where(np.abs(scores[:, 0]) > _CERTAIN, np.copysign(np.inf, scores[:, 0]), 0.0)
    with np.errstate(over="ignore"):
        positive = 1.0 / (1.0 + np.exp(-(scores[:, 0] + certain)))
    return np.stack([1.0 - positive, positive], axis=1)


@njit
def gradient(score: float, label: float) -> float:
    """With respect to the raw score."""
    return 1.0 / (1.0 + math.exp(-score)) - label
