"""Huber loss: half the squared error up to ``delta``, then linear; Huber 1964.

r^2 / 2 where |r| <= delta, else delta (|r| - delta / 2), r = p - y: the form of PyTorch's HuberLoss
and scikit-learn. Note the half, which squared does not have.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from annotated_types import Gt

from flink_ol.core.compiled import njit
from flink_ol.core.fields import Section
from flink_ol.core.losses import squared
from flink_ol.core.losses.kind import Loss, padded

CODE = 5


@dataclass(frozen=True, kw_only=True)
class Huber(Section):
    """Squared for small errors, absolute for large ones: robust to outliers."""

    TASKS: ClassVar[tuple[str, ...]] = ("regression",)

    name: Literal["huber"] = "huber"
    delta: Annotated[float, Gt(0)] = 1.0
    """Size of error from which on the loss is linear, in units of the target."""

    def kind(self) -> Loss:
        """What the kernels and the learner need to know."""
        return Loss(
            "huber",
            CODE,
            functools.partial(value, delta=self.delta),
            squared.predict,
            padded(self.delta),
        )


def value(scores: np.ndarray, labels: np.ndarray, delta: float) -> np.ndarray:
    """Losses (samples,) of raw ``scores`` (samples, 1)."""
    error = np.abs(scores[:, 0] - labels)
    return np.where(error <= delta, 0.5 * error**2, delta * (error - 0.5 * delta))


@njit
def gradient(parameters: tuple[float, ...], score: float, label: float) -> float:
    """With respect to the raw score; ``parameters``: delta."""
    delta, error = parameters[0], score - label
    if error > delta:
        return delta
    # written so that what is not a number stays so
    return -delta if error < -delta else error
