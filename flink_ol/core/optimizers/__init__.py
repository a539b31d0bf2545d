"""Optimizers by name: adding one takes its file, a line in the union and one in the switch.

A step concerns one coordinate ``[slot, output]`` and works in place on the weights and at most two
accumulators. Which optimizer it is, is a small integer, because numba does not cache functions
that take functions.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np

from flink_ol.core.compiled import njit
from flink_ol.core.fields import Tagged
from flink_ol.core.optimizers import adagrad, ftrl, sgd
from flink_ol.core.optimizers.adagrad import AdaGrad
from flink_ol.core.optimizers.ftrl import Ftrl
from flink_ol.core.optimizers.sgd import Sgd

Optimizer = Annotated[Sgd | AdaGrad | Ftrl, Tagged("name")]

PARAMETERS = 8  # length of every parameter vector, so that kernels see one shape


@njit
def step(
    kind: int,
    parameters: np.ndarray,
    weights: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    slot: int,
    output: int,
    gradient: float,
    rate: float,
) -> None:
    """One coordinate's step of the optimizer ``kind``; arrays (slots, outputs) float64."""
    if kind == sgd.CODE:
        sgd.step(weights, slot, output, gradient, rate)
    elif kind == adagrad.CODE:
        adagrad.step(parameters, weights, first, slot, output, gradient, rate)
    elif kind == ftrl.CODE:
        ftrl.step(parameters, weights, first, second, slot, output, gradient)


@njit
def derive(
    kind: int,
    parameters: np.ndarray,
    weights: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    slots: np.ndarray,
) -> None:
    """Weights of ``slots`` anew from the accumulators, where they follow from them alone."""
    if kind == ftrl.CODE:
        for slot in slots:
            for output in range(weights.shape[1]):
                weights[slot, output] = ftrl.weight(
                    parameters, first[slot, output], second[slot, output]
                )


__all__ = ["PARAMETERS", "AdaGrad", "Ftrl", "Optimizer", "Sgd", "derive", "step"]
