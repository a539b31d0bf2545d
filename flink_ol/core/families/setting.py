"""What every model family is built from beside its own settings."""

from __future__ import annotations

from typing import NamedTuple

from flink_ol.core.losses.kind import Loss
from flink_ol.core.optimizers.kind import Kind

NO_INTERCEPT, OWN_RATE, COORDINATE = range(3)  # how the intercept is learned


class Setting(NamedTuple):
    """The parts of a learning task that a family needs to know."""

    loss: Loss
    optimizer: Kind
    outputs: int
    scaled: bool  # whether numbers are standardised
    intercept: bool
    seed: int = 0  # of everything random
    hash_bits: int | None = None  # of feature keys

    @property
    def intercept_kind(self) -> int:
        """NO_INTERCEPT, OWN_RATE or COORDINATE: not there, at a rate of its own, like a weight."""
        if not self.intercept:
            return NO_INTERCEPT
        return COORDINATE if self.optimizer.intercept_rate is None else OWN_RATE
