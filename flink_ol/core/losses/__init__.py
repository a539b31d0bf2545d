"""Losses by name: adding one takes its file, a line in the union and one in the switch."""

from __future__ import annotations

import typing
from typing import Annotated, Any

import numpy as np

from flink_ol.core.compiled import njit
from flink_ol.core.fields import ConfigError, Tagged
from flink_ol.core.losses import (
    epsilon_insensitive,
    hinge,
    huber,
    logistic,
    poisson,
    quantile,
    softmax,
    squared,
    squared_hinge,
)
from flink_ol.core.losses.kind import PARAMETERS, Loss

LossSection = Annotated[
    logistic.Logistic
    | hinge.Hinge
    | squared_hinge.SquaredHinge
    | softmax.Softmax
    | squared.Squared
    | huber.Huber
    | epsilon_insensitive.EpsilonInsensitive
    | quantile.Quantile
    | poisson.Poisson,
    Tagged("name"),
]

SECTIONS: dict[str, Any] = {
    section.__dataclass_fields__["name"].default: section
    for section in typing.get_args(typing.get_args(LossSection)[0])
}

LOSSES: dict[str, Loss] = {name: section().kind() for name, section in SECTIONS.items()}

OF_TASK: dict[str, Loss] = {
    "binary": logistic.Logistic().kind(),
    "multiclass": softmax.Softmax().kind(),
    "regression": squared.Squared().kind(),
}


def chosen(task: str, section: LossSection | None) -> Loss:
    """The loss of a section, or that of the task."""
    return OF_TASK[task] if section is None else section.kind()


def check_loss(task: str, name: str | None) -> None:
    """ConfigError unless the loss ``name`` (None: by the task) suits ``task``."""
    if name is not None and task not in SECTIONS[name].TASKS:
        fitting = [other for other, section in SECTIONS.items() if task in section.TASKS]
        raise ConfigError("loss.name", name, f"one that suits task {task}: {', '.join(fitting)}")


@njit
def gradient(kind: int, parameters: tuple[float, ...], score: float, label: float) -> float:
    """Gradient of a loss of one output with respect to the raw ``score``.

    ``parameters``: losses.PARAMETERS numbers, the loss's own (Loss.parameters).
    """
    if kind == logistic.CODE:
        return logistic.gradient(score, label)
    if kind == hinge.CODE:
        return hinge.gradient(score, label)
    if kind == squared_hinge.CODE:
        return squared_hinge.gradient(score, label)
    if kind == huber.CODE:
        return huber.gradient(parameters, score, label)
    if kind == epsilon_insensitive.CODE:
        return epsilon_insensitive.gradient(parameters, score, label)
    if kind == quantile.CODE:
        return quantile.gradient(parameters, score, label)
    if kind == poisson.CODE:
        return poisson.gradient(score, label)
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


__all__ = [
    "LOSSES",
    "OF_TASK",
    "PARAMETERS",
    "SECTIONS",
    "Loss",
    "LossSection",
    "check_loss",
    "chosen",
    "gradient",
    "gradients",
]
