"""Softmax (multinomial logistic) loss on class indices: -log p_y; gradient p - one-hot(y)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from flink_ol.core.compiled import njit
from flink_ol.core.fields import Section
from flink_ol.core.losses.kind import Loss

CODE = 2


@dataclass(frozen=True, kw_only=True)
class Softmax(Section):
    """Multinomial logistic regression: one raw score per class."""

    TASKS: ClassVar[tuple[str, ...]] = ("multiclass",)

    name: Literal["softmax"] = "softmax"

    def kind(self) -> Loss:
        """What the kernels and the learner need to know."""
        return Loss("softmax", CODE, value, predict)


def value(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Losses (samples,) of raw ``scores`` (samples, classes)."""
    shifted = scores - scores.max(axis=1, keepdims=True)
    own = shifted[np.arange(len(labels)), labels.astype(np.int64)]
    return np.log(np.exp(shifted).sum(axis=1)) - own


def predict(scores: np.ndarray) -> np.ndarray:
    """Probabilities (samples, classes)."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@njit
def gradients(scores: np.ndarray, label: float, result: np.ndarray) -> None:
    """With respect to the raw scores, into ``result`` (classes,)."""
    largest = scores[0]
    for output in range(1, len(scores)):
        largest = max(largest, scores[output])
    total = 0.0
    for output in range(len(scores)):
        result[output] = math.exp(scores[output] - largest)
        total += result[output]
    for output in range(len(scores)):
        result[output] /= total
    result[int(label)] -= 1.0
