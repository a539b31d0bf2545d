"""What a loss says of itself beside its compiled gradient."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

PARAMETERS = 2  # length of every parameter tuple, so that kernels see one type


class Loss(NamedTuple):
    """A loss with its settings, and the function that turns raw scores into what users read."""

    name: str
    code: int  # of the switch in core.losses
    value: Callable[[np.ndarray, np.ndarray], np.ndarray]  # scores, labels -> (samples,) losses
    predict: Callable[[np.ndarray], np.ndarray]  # scores (samples, outputs) -> predictions
    parameters: tuple[float, ...] = (0.0,) * PARAMETERS  # PARAMETERS numbers for the kernels
    least_target: float = -math.inf  # of regression; smaller ones mean nothing to the loss


def padded(*parameters: float) -> tuple[float, ...]:
    """``parameters`` as the kernels take them."""
    return tuple(map(float, parameters)) + (0.0,) * (PARAMETERS - len(parameters))
