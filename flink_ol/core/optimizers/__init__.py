"""Optimizers by name: adding one takes its file, a line in the union and one in the switch.

A step concerns one coordinate: its weight and at most two accumulators, in and out as numbers.
Which optimizer it is, is a small integer, because numba does not cache functions that take
functions.
"""

from __future__ import annotations

from typing import Annotated

from flink_ol.core.compiled import njit
from flink_ol.core.fields import Tagged
from flink_ol.core.optimizers import adagrad, adam, adamw, ftrl, momentum, nesterov, rmsprop, sgd
from flink_ol.core.optimizers.adagrad import AdaGrad
from flink_ol.core.optimizers.adam import Adam
from flink_ol.core.optimizers.adamw import AdamW
from flink_ol.core.optimizers.adaptive import Adaptive
from flink_ol.core.optimizers.ftrl import Ftrl
from flink_ol.core.optimizers.momentum import Momentum
from flink_ol.core.optimizers.nesterov import Nesterov
from flink_ol.core.optimizers.rmsprop import RmsProp
from flink_ol.core.optimizers.sgd import Sgd

Optimizer = Annotated[
    Sgd | Momentum | Nesterov | AdaGrad | RmsProp | Adam | AdamW | Ftrl | Adaptive,
    Tagged("name"),
]

PARAMETERS = 8  # length of every parameter tuple, so that kernels see one type


def padded(parameters: tuple[float, ...]) -> tuple[float, ...]:
    """``parameters`` as PARAMETERS floats, zeros at the end, for gradients that count once."""
    floats = tuple(map(float, parameters))
    return (*floats, *(0.0,) * (PARAMETERS - len(floats) - 1), 1.0)


def repeated(parameters: tuple[float, ...], times: float) -> tuple[float, ...]:
    """:func:`padded` ``parameters`` for gradients that count ``times`` times in what adds up.

    A worker among K steps as if the others met the same samples: what is averaged afterwards
    then moves as far as with one worker, and the sums of squares are those of all samples.
    """
    return (*parameters[:-1], float(times))


@njit
def step(
    kind: int,
    parameters: tuple[float, ...],
    weight: float,
    first: float,
    second: float,
    gradient: float,
    rate: float,
    t: float,
) -> tuple[float, float, float]:
    """Weight and both accumulators of one coordinate after a step of the optimizer ``kind``.

    ``t``: number of this step, 1, 2, ...; optimizers that start from biased averages need it.
    """
    if kind == sgd.CODE:
        weight = sgd.step(weight, gradient, rate)
    elif kind == adagrad.CODE:
        weight, first = adagrad.step(parameters, weight, first, gradient, rate, parameters[-1])
    elif kind == ftrl.CODE:
        times = parameters[-1]
        weight, first, second = ftrl.step(parameters, weight, first, second, gradient, times)
    elif kind == momentum.CODE:
        weight, first = momentum.step(parameters, weight, first, gradient, rate)
    elif kind == nesterov.CODE:
        weight, first = nesterov.step(parameters, weight, first, gradient, rate)
    elif kind == rmsprop.CODE:
        weight, first = rmsprop.step(parameters, weight, first, gradient, rate)
    elif kind == adam.CODE:
        weight, first, second = adam.step(parameters, weight, first, second, gradient, rate, t)
    elif kind == adamw.CODE:
        weight, first, second = adamw.step(parameters, weight, first, second, gradient, rate, t)
    return weight, first, second


@njit
def derived(
    kind: int, parameters: tuple[float, ...], weight: float, first: float, second: float
) -> float:
    """The weight anew from the accumulators, where it follows from them alone."""
    if kind == ftrl.CODE:
        weight = ftrl.weight_of(parameters, first, second)
    return weight


__all__ = [
    "PARAMETERS",
    "AdaGrad",
    "Adam",
    "AdamW",
    "Adaptive",
    "Ftrl",
    "Momentum",
    "Nesterov",
    "Optimizer",
    "RmsProp",
    "Sgd",
    "derived",
    "padded",
    "repeated",
    "step",
]
