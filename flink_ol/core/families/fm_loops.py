"""The compiled loops of factorization machines, for every loss, optimizer and number of outputs.

The order of a sample's steps is that of linear_loops; the scaler, whose statistics no weight
enters, has been through all samples before. Pairs cost no more than single features by
the identity of Rendle 2010: the sum over pairs of <v_i, v_j> x_i x_j is half the sum over factors
of (sum_i v_i x_i)^2 - sum_i (v_i x_i)^2.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from flink_ol.core import losses
from flink_ol.core.compiled import njit
from flink_ol.core.families.coordinate_steps import step
from flink_ol.core.families.linear_loops import Rows
from flink_ol.core.families.setting import COORDINATE, OWN_RATE
from flink_ol.core.optimizers import schedules


class Settings(NamedTuple):
    """What the loops are told once per batch."""

    loss: int  # code
    loss_parameters: tuple[float, ...]
    optimizer: int  # code
    parameters: tuple[float, ...]  # the optimizer's own
    learning_rate: float
    factors_rate: float
    intercept: int  # NO_INTERCEPT, OWN_RATE or COORDINATE
    intercept_rate: float
    l2: float
    factors_l2: float
    schedule: int  # code
    schedule_parameters: tuple[float, ...]
    warm_up: float  # samples
    scaled: bool
    accumulators: int  # 0 to 2


class Arrays(NamedTuple):
    """The arrays of a state that the loops work on; those not in use have no rows.

    A feature's factors are those of the first output, then of the next: (slots, outputs * k).
    """

    weights: np.ndarray  # (slots, outputs) float64
    first: np.ndarray
    second: np.ndarray
    factors: np.ndarray  # (slots, outputs * k) float64
    factors_first: np.ndarray
    factors_second: np.ndarray
    intercept: np.ndarray  # (1, outputs) float64
    intercept_first: np.ndarray
    intercept_second: np.ndarray
    steps: np.ndarray  # (1,) int64
    optimizer_steps: np.ndarray  # (1,) float64
    rates: np.ndarray  # (slots, 1) float64, factors of the rate


@njit
def sample_scores(
    intercept: np.ndarray,
    weights: np.ndarray,
    factors: np.ndarray,
    slots: np.ndarray,
    x: np.ndarray,
    sums: np.ndarray,
    raw: np.ndarray,
) -> None:
    """Raw scores (outputs,) of one sample and ``sums`` (outputs * k,) of v_i x_i; skips -1."""
    outputs = len(raw)
    k = len(sums) // outputs
    for output in range(outputs):
        total = intercept[0, output]
        for i in range(len(slots)):
            if slots[i] >= 0:
                total += weights[slots[i], output] * x[i]
        pairs = 0.0
        for f in range(output * k, output * k + k):
            whole, squares = 0.0, 0.0
            for i in range(len(slots)):
                if slots[i] >= 0:
                    part = factors[slots[i], f] * x[i]
                    whole += part
                    squares += part * part
            sums[f] = whole
            pairs += whole * whole - squares
        raw[output] = total + 0.5 * pairs


@njit
def sample_gradients(
    factors: np.ndarray,
    slots: np.ndarray,
    x: np.ndarray,
    sums: np.ndarray,
    along: np.ndarray,
    of_weights: np.ndarray,
    of_factors: np.ndarray,
) -> None:
    """From ``along`` the scores (outputs,) to weights and factors, a row for every feature.

    The score's derivative with respect to v_i is x_i (sum_j v_j x_j - v_i x_i).
    """
    k = len(sums) // len(along)
    for i in range(len(slots)):
        for output in range(len(along)):
            gradient = along[output] * x[i]
            of_weights[i, output] = gradient
            for f in range(output * k, output * k + k):
                of_factors[i, f] = gradient * (sums[f] - factors[slots[i], f] * x[i])


@njit
def learn(
    settings: Settings,
    rows: Rows,
    before: np.ndarray,
    after: np.ndarray,
    arrays: Arrays,
    scores: np.ndarray,
) -> None:
    """Score and learn sample by sample; ``arrays`` in place, raw ``scores`` (samples, outputs).

    ``before`` and ``after`` (entries,): values to score and to learn from, in place of those of
    ``rows``. Every slot must be known.
    """
    # Names of their own for everything, as in linear_loops: fields inside the loops are counted
    # references.
    indptr, labels, importance = rows.indptr, rows.labels, rows.importance
    weights, first, second, factors, factors_first, factors_second = arrays[:6]
    intercept, intercept_first, intercept_second, steps, optimizer_steps, rates = arrays[6:]
    kind = settings.optimizer, settings.parameters, settings.accumulators
    loss, loss_parameters = settings.loss, settings.loss_parameters
    l2, factors_l2 = settings.l2, settings.factors_l2
    outputs = scores.shape[1]
    k = factors.shape[1] // outputs
    longest = 0
    for sample in range(len(labels)):
        longest = max(longest, indptr[sample + 1] - indptr[sample])
    sums = np.empty(outputs * k)
    raw = np.empty(outputs)
    along = np.empty((1, outputs))
    of_weights, of_factors = np.empty((longest, outputs)), np.empty((longest, outputs * k))
    only, no_rates = np.zeros(1, np.int64), np.empty((0, 1))  # the intercept's row
    t = steps[0]
    number = optimizer_steps[0]
    for sample in range(len(labels)):
        start, end = indptr[sample], indptr[sample + 1]
        slots, x = rows.slots[start:end], after[start:end]
        sample_scores(intercept, weights, factors, slots, before[start:end], sums, raw)
        for output in range(outputs):
            scores[sample, output] = raw[output]
        if settings.scaled:
            sample_scores(intercept, weights, factors, slots, x, sums, raw)
        if outputs == 1:
            along[0, 0] = losses.gradient(loss, loss_parameters, raw[0], labels[sample])
        else:
            losses.gradients(loss, loss_parameters, raw, labels[sample], along[0])
        factor = schedules.factor(settings.schedule, settings.schedule_parameters, t)
        if t < settings.warm_up:
            factor *= (t + 1.0) / settings.warm_up
        t += 1
        number += 1.0
        rate, factors_rate = settings.learning_rate * factor, settings.factors_rate * factor

        for output in range(outputs):
            along[0, output] *= importance[sample]
        # the whole gradient first: a factor's depends on those of the other features
        sample_gradients(factors, slots, x, sums, along[0], of_weights, of_factors)
        if settings.intercept == OWN_RATE:
            for output in range(outputs):
                intercept[0, output] -= settings.intercept_rate * along[0, output]
        elif settings.intercept == COORDINATE:
            beside = intercept_first, intercept_second
            step(kind, only, along, 0.0, 0.0, no_rates, rate, number, intercept, *beside)
        step(kind, slots, of_weights, l2, 0.0, rates, rate, number, weights, first, second)
        step(
            kind,
            slots,
            of_factors,
            factors_l2,
            0.0,
            rates,
            factors_rate,
            number,
            factors,
            factors_first,
            factors_second,
        )
    steps[0] = t
    optimizer_steps[0] = number


@njit
def score(rows: Rows, values: np.ndarray, arrays: Arrays, scores: np.ndarray) -> None:
    """Raw ``scores`` (samples, outputs) with everything as it stands; -1 slots are left out.

    ``values`` (entries,): in place of those of ``rows``.
    """
    intercept, weights, factors = arrays.intercept, arrays.weights, arrays.factors
    sums = np.empty(factors.shape[1])
    for sample in range(len(rows.indptr) - 1):
        start, end = rows.indptr[sample], rows.indptr[sample + 1]
        slots, x = rows.slots[start:end], values[start:end]
        sample_scores(intercept, weights, factors, slots, x, sums, scores[sample])
