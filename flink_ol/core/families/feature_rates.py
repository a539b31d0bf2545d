"""Learning rates of single features, as an array of the model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flink_ol.core.features.hashing import feature_key
from flink_ol.core.optimizers.kind import Kind
from flink_ol.core.state import ArraySpec


@dataclass(frozen=True)
class FirstRates:
    """Rows of new features: their rate as a multiple of the learning rate."""

    factors: dict[int, float]  # by feature key; others have 1

    def __call__(self, keys: np.ndarray) -> np.ndarray:
        """Factors (keys, 1) float64."""
        return np.array([[self.factors.get(int(key), 1.0)] for key in keys]).reshape(-1, 1)


def declared(optimizer: Kind, hash_bits: int | None) -> tuple[ArraySpec, ...]:
    """The array ``rates`` (slots, 1), if any feature has a rate of its own.

    It follows from the features' keys alone, so no difference carries it.
    """
    if not optimizer.feature_rates:
        return ()
    factors = {
        feature_key(name, hash_bits): rate / optimizer.learning_rate
        for name, rate in optimizer.feature_rates
    }
    return (ArraySpec("rates", (1,), "derived", initial=FirstRates(factors)),)
