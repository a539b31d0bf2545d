"""What a loss says of itself beside its compiled gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Loss(NamedTuple):
    """A loss with the function that turns raw scores into what users read."""

    name: str
    code: int  # of the switch in core.losses
    value: Callable[[np.ndarray, np.ndarray], np.ndarray]  # scores, labels -> (samples,) losses
    predict: Callable[[np.ndarray], np.ndarray]  # scores (samples, outputs) -> predictions
