"""One step of the optimizer on gradients that are there already, row by row of an array.

What the gradient modes step with, every row once whatever number of samples its gradient is the
sum of, and factorization machines, whose gradients of a sample depend on each other's rows.
"""

from __future__ import annotations

import numpy as np

from flink_ol.core import optimizers
from flink_ol.core.compiled import njit
from flink_ol.core.families import penalties
from flink_ol.core.families.setting import COORDINATE, OWN_RATE
from flink_ol.core.optimizers import schedules

_FIRST = np.zeros(1, np.int64)  # the only row of an intercept
_NO_RATES = np.zeros((0, 1))


def rate_factor(
    schedule: int, schedule_parameters: tuple[float, ...], warm_up: float, learned: int
) -> float:
    """Factor of the rate after ``learned`` samples: the schedule's, rising over ``warm_up``."""
    factor = schedules.factor(schedule, schedule_parameters, learned)
    return float(factor * (learned + 1.0) / warm_up if learned < warm_up else factor)


@njit
def step(
    kind: tuple[int, tuple[float, ...], int],
    slots: np.ndarray,
    gradients: np.ndarray,
    l2: float,
    l1: float,
    rates: np.ndarray,
    rate: float,
    number: float,
    array: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
) -> None:
    """One step of the rows ``slots`` of ``array`` and its accumulators, in place.

    ``kind``: the optimizer's code, its parameters, how many accumulators it has. ``gradients``
    (slots, columns) float64; ``rates`` (any, 1): factors of the rate by slot, no rows: none.
    ``number``: of the step, from 1. ``l2`` times the weight joins the gradient, ``l1`` times the
    rate truncates after it.
    """
    optimizer, parameters, accumulators = kind
    has_rates = len(rates) > 0
    for i in range(len(slots)):
        slot = slots[i]
        own = rate * rates[slot, 0] if has_rates else rate
        for j in range(array.shape[1]):
            weight = array[slot, j]
            a = first[slot, j] if accumulators > 0 else 0.0
            b = second[slot, j] if accumulators > 1 else 0.0
            whole = gradients[i, j] + l2 * weight
            weight, a, b = optimizers.step(optimizer, parameters, weight, a, b, whole, own, number)
            array[slot, j] = penalties.truncated(weight, own * l1) if l1 > 0.0 else weight
            if accumulators > 0:
                first[slot, j] = a
            if accumulators > 1:
                second[slot, j] = b


def step_intercept(
    how: int,
    own_rate: float,
    kind: tuple[int, tuple[float, ...], int],
    gradient: np.ndarray,
    pace: tuple[float, float],
    intercept: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    """One step of ``intercept`` and its accumulators, (1, outputs) each, in place.

    ``how``: what the setting's ``intercept_kind`` says, with ``own_rate`` or as a coordinate like
    the others, at ``pace``: rate and number of the step.
    """
    array = intercept[0]
    along = gradient.reshape(array.shape)
    if how == OWN_RATE:
        array[...] -= own_rate * along
    elif how == COORDINATE:
        step(kind, _FIRST, along, 0.0, 0.0, _NO_RATES, *pace, *intercept)
