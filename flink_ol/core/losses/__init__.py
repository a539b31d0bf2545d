"""Losses by name: adding one takes its file, a line in the table and one in the switch."""

from __future__ import annotations

import numpy as np

from flink_ol.core.compiled import njit
from flink_ol.core.losses import logistic, softmax, squared
from flink_ol.core.losses.kind import PARAMETERS, Loss

LOSSES = {loss.name: loss for loss in (logistic.LOSS, squared.LOSS, softmax.LOSS)}

OF_TASK = {
    "binary": logistic.LOSS,
    "multiclass": softmax.LOSS,
    "regression": squared.LOSS,
}


@njit
def gradient(kind: int, parameters: tuple[float, ...], score: float, label: float) -> float:
    """Gradient of a loss of one output with respect to the raw ``score``.

    ``parameters``: losses.PARAMETERS numbers, the loss's own (Loss.parameters).
    """
    if kind == logistic.CODE:
        return logistic.gradient(score, label)
    return squared.gradient(score, label)


@njit
def gradients(
    kind: int,
    parameters: tuple[float, ...],
    scores: np.ndarray,
    label: float,
    result: np.ndarray,
) -> None:
    """Gradients of the loss ``kind`` with respect to ``scores`` (outputs,), into ``result``."""
    if kind == softmax.CODE:
        softmax.gradients(scores, label, result)
    else:
        # one array per call costs as much as the arithmetic, hence a form for numbers
        result[0] = gradient(kind, parameters, scores[0], label)


__all__ = ["LOSSES", "OF_TASK", "PARAMETERS", "Loss", "gradient", "gradients"]
