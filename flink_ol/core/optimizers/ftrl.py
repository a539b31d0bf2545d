"""FTRL-Proximal: follow the regularised leader, per coordinate.

McMahan et al. 2013, algorithm 1. The weight follows from z and n; ``fresh`` computes it at once,
``late`` at the coordinate's next visit, after the prediction, as River does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt

from flink_ol.core.compiled import njit
from flink_ol.core.fields import Section
from flink_ol.core.optimizers.kind import Kind

CODE = 2


@dataclass(frozen=True, kw_only=True)
class Ftrl(Section):
    """Sparse weights by L1, robust by L2, per-coordinate rates."""

    name: Literal["ftrl"] = "ftrl"
    alpha: Annotated[float, Gt(0)] = 0.1
    """Learning rate."""
    beta: Annotated[float, Ge(0)] = 1.0
    """Smooths the first steps: the rate is alpha / (beta + sqrt(n))."""
    l1: Annotated[float, Ge(0)] = 0.0
    """A weight is zero while |z| is at most l1."""
    l2: Annotated[float, Ge(0)] = 1.0
    intercept_learning_rate: Annotated[float, Ge(0)] | None = 0.01
    """Rate of the intercept by plain gradient descent; null: it is one more coordinate of FTRL."""
    refresh: Literal["fresh", "late"] = "fresh"
    """When a weight follows z and n: at once, or at its feature's next visit (River)."""

    def kind(self) -> Kind:
        """What the kernels and the state need to know.

        z and n are averaged: each worker among K counts its gradients K times, so that they are
        the sums over all samples, and its z follows an n that grows as fast as theirs together.
        """
        return Kind(
            code=CODE,
            parameters=(
                self.alpha,
                self.beta,
                self.l1,
                self.l2,
                1.0 if self.refresh == "late" else 0.0,
            ),
            intercept_rate=self.intercept_learning_rate,
            scales_with_workers=True,
            accumulators=(("z", "mean"), ("n", "mean")),
            derived=self.refresh == "fresh",
        )


@njit
def weight_of(parameters: tuple[float, ...], z: float, n: float) -> float:
    """The weight that follows from ``z`` and ``n``."""
    alpha, beta, l1, l2 = parameters[:4]
    if abs(z) <= l1:
        return 0.0
    return -(z - math.copysign(l1, z)) / ((beta + math.sqrt(n)) / alpha + l2)


@njit
def step(
    parameters: tuple[float, ...], weight: float, z: float, n: float, gradient: float, times: float
) -> tuple[float, float, float]:
    """Weight, z and n after one step, in which the gradient counts ``times`` times."""
    alpha, l1, late = parameters[0], parameters[2], parameters[4] != 0.0
    if late and abs(z) > l1:
        weight = weight_of(parameters, z, n)
    new = n + times * (gradient * gradient)
    z += times * gradient - (math.sqrt(new) - math.sqrt(n)) / alpha * weight
    if not late:
        weight = weight_of(parameters, z, new)
    return weight, z, new
