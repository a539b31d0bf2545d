"""Where drawn parameters begin: random weights by counter, and accumulators that fit.

He, Zhang, Ren, Sun 2015: variance 2 / inputs. Glorot, Bengio 2010: variance 2 / (inputs + units).
Both uniform. The weights of a feature are a function of the feature's key and the seed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from flink_ol.core.families.drawing import uniforms
from flink_ol.core.optimizers import ftrl
from flink_ol.core.optimizers.kind import Kind


@dataclass(frozen=True)
class Drawn:
    """First weights of a layer: called with keys for rows of features, without for a whole."""

    seed: int
    layer: int  # 1, 2, ...
    rows: int  # of a whole layer
    units: int
    limit: float  # weights are uniform between minus this and this

    def __call__(self, keys: np.ndarray | None = None) -> np.ndarray:
        """(keys or rows, units) float64."""
        places = np.arange(self.rows, dtype=np.int64) if keys is None else keys
        return (2.0 * uniforms(self.seed, self.layer, places, self.units) - 1.0) * self.limit


@dataclass(frozen=True)
class DrawnIntoZ:
    """FTRL's z from which the drawn weights follow: its weights are nothing of their own."""

    weights: Drawn
    parameters: tuple[float, ...]  # of FTRL: alpha, beta, l1, l2, ...

    def __call__(self, keys: np.ndarray | None = None) -> np.ndarray:
        """(keys or rows, units) float64: the inverse of ftrl.weight_of at n = 0."""
        alpha, beta, l1, l2 = self.parameters[:4]
        weights = self.weights(keys)
        return -(weights * (beta / alpha + l2) + np.copysign(l1, weights))


def limit_of(initial: str, inputs: int, units: int) -> float:
    """The limit of uniform weights whose variance is that of ``initial``: he or glorot."""
    return math.sqrt(6.0 / (inputs if initial == "he" else inputs + units))


def first_of(optimizer: Kind, accumulator: str, drawn: Drawn) -> DrawnIntoZ | None:
    """How the ``accumulator`` of drawn weights begins; None: with zeros."""
    if optimizer.code == ftrl.CODE and accumulator == "z":
        return DrawnIntoZ(drawn, optimizer.parameters)
    return None
