"""Squared loss without one half: (p - y)^2, gradient 2 (p - y), as River and PyTorch have it."""

from __future__ import annotations

import numpy as np

from flink_ol.core.compiled import njit
from flink_ol.core.losses.kind import Loss

CODE = 1


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


LOSS = Loss("squared", CODE, value, predict)
