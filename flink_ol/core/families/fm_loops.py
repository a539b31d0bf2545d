"""The compiled loops of factorization machines, for every loss, optimizer and number of outputs.

The order of a sample's steps is that of linear_loops. Pairs cost no more than single features by
the identity of Rendle 2010: the sum over pairs of <v_i, v_j> x_i x_j is half the sum over factors
of (sum_i v_i x_i)^2 - sum_i (v_i x_i)^2.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from flink_ol.core import losses, optimizers
from flink_ol.core.compiled import njit
from flink_ol.core.families.linear_loops import COORDINATE, OWN_RATE, Rows
from flink_ol.core.features import scaling
from flink_ol.core.features.scaling import COUNT, DEVIATIONS, MEAN
from flink_ol.core.optimizers import schedules


class Settings(NamedTuple):
    """What the loops are told once per batch."""

    loss: int  # code
    loss_parameters: tuple[float, ...]
    optimizer: int  # code
    parameters: tuple[float, ...]  # the optimizer's own
    learning_rate: float
    factors_rate: float
    intercept: int  # NO_INTERCEPT, OWN_RATE or COORDINATE of linear_loops
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
    scaler: np.ndarray  # (slots, 3) float64
    steps: np.ndarray  # (1,) int64
    optimizer_steps: np.ndarray  # (1,) float64
    rates: np.ndarray  # (slots, 1) float64, factors of the rate


@njit
def _raw(
    arrays: Arrays, slots: np.ndarray, x: np.ndarray, sums: np.ndarray, raw: np.ndarray
) -> None:
    """Raw scores (outputs,) of one sample and ``sums`` (outputs * k,) of v_i x_i; skips -1."""
    outputs = len(raw)
    k = len(sums) // outputs
    for output in range(outputs):
        total = arrays.intercept[0, output]
        for i in range(len(slots)):
            if slots[i] >= 0:
                total += arrays.weights[slots[i], output] * x[i]
        pairs = 0.0
        for f in range(output * k, output * k + k):
            whole, squares = 0.0, 0.0
            for i in range(len(slots)):
                if slots[i] >= 0:
                    part = arrays.factors[slots[i], f] * x[i]
                    whole += part
                    squares += part * part
            sums[f] = whole
            pairs += whole * whole - squares
        raw[output] = total + 0.5 * pairs


@njit
def _step(
    settings: Settings,
    array: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    row: int,
    column: int,
    gradient: float,
    rate: float,
    number: float,
) -> None:
    """One coordinate's step, in place."""
    a = first[row, column] if settings.accumulators > 0 else 0.0
    b = second[row, column] if settings.accumulators > 1 else 0.0
    weight, a, b = optimizers.step(
        settings.optimizer, settings.parameters, array[row, column], a, b, gradient, rate, number
    )
    array[row, column] = weight
    if settings.accumulators > 0:
        first[row, column] = a
    if settings.accumulators > 1:
        second[row, column] = b


@njit
def learn(settings: Settings, rows: Rows, arrays: Arrays, scores: np.ndarray) -> None:
    """Score and learn sample by sample; ``arrays`` in place, raw ``scores`` (samples, outputs).

    Every slot must be known.
    """
    outputs = scores.shape[1]
    k = arrays.factors.shape[1] // outputs
    scaler = arrays.scaler
    longest = 0
    for sample in range(len(rows.labels)):
        longest = max(longest, rows.indptr[sample + 1] - rows.indptr[sample])
    buffer = np.empty(longest)
    sums = np.empty(outputs * k)
    raw = np.empty(outputs)
    gradients = np.empty(outputs)
    t = arrays.steps[0]
    number = arrays.optimizer_steps[0]
    for sample in range(len(rows.labels)):
        start, end = rows.indptr[sample], rows.indptr[sample + 1]
        slots, values, numeric = rows.slots[start:end], rows.values[start:end], rows.numeric
        x = buffer[: end - start]
        _scale(settings.scaled, slots, values, numeric[start:end], scaler, x)
        _raw(arrays, slots, x, sums, raw)
        for output in range(outputs):
            scores[sample, output] = raw[output]
        if settings.scaled:
            for i in range(len(slots)):
                if numeric[start + i]:
                    slot = slots[i]
                    count = scaler[slot, COUNT] + 1.0
                    mean, deviations = scaling.learned(
                        scaler[slot, MEAN], scaler[slot, DEVIATIONS], values[i], 1.0 / count
                    )
                    scaler[slot, COUNT] = count
                    scaler[slot, MEAN] = mean
                    scaler[slot, DEVIATIONS] = deviations
            _scale(True, slots, values, numeric[start:end], scaler, x)
            _raw(arrays, slots, x, sums, raw)
        label, parameters = rows.labels[sample], settings.loss_parameters
        if outputs == 1:
            gradients[0] = losses.gradient(settings.loss, parameters, raw[0], label)
        else:
            losses.gradients(settings.loss, parameters, raw, label, gradients)
        factor = schedules.factor(settings.schedule, settings.schedule_parameters, t)
        if t < settings.warm_up:
            factor *= (t + 1.0) / settings.warm_up
        t += 1
        number += 1.0
        _learn_one(
            settings, arrays, slots, x, sums, gradients, rows.importance[sample], factor, number
        )
    arrays.steps[0] = t
    arrays.optimizer_steps[0] = number


@njit
def _learn_one(
    settings: Settings,
    arrays: Arrays,
    slots: np.ndarray,
    x: np.ndarray,
    sums: np.ndarray,
    gradients: np.ndarray,
    importance: float,
    factor: float,
    number: float,
) -> None:
    """Step along one sample's gradient; all of it is taken before any parameter moves."""
    intercept, weights, factors = arrays.intercept, arrays.weights, arrays.factors
    k = len(sums) // len(gradients)
    rate, factors_rate = settings.learning_rate * factor, settings.factors_rate * factor
    for output in range(len(gradients)):
        gradient = gradients[output] * importance
        if settings.intercept == OWN_RATE:
            intercept[0, output] -= settings.intercept_rate * gradient
        elif settings.intercept == COORDINATE:
            beside = arrays.intercept_first, arrays.intercept_second
            _step(settings, intercept, *beside, 0, output, gradient, rate, number)
        for i in range(len(slots)):
            slot = slots[i]
            own = arrays.rates[slot, 0] if len(arrays.rates) > 0 else 1.0
            along = gradient * x[i] + settings.l2 * weights[slot, output]
            beside = arrays.first, arrays.second
            _step(settings, weights, *beside, slot, output, along, rate * own, number)
            for f in range(output * k, output * k + k):
                v = factors[slot, f]
                along = gradient * x[i] * (sums[f] - v * x[i]) + settings.factors_l2 * v
                beside = arrays.factors_first, arrays.factors_second
                _step(settings, factors, *beside, slot, f, along, factors_rate * own, number)


@njit
def _scale(
    scaled: bool,
    slots: np.ndarray,
    values: np.ndarray,
    numeric: np.ndarray,
    scaler: np.ndarray,
    x: np.ndarray,
) -> None:
    """Values of one sample as they are learned from, into ``x``."""
    for i in range(len(slots)):
        x[i] = values[i]
        if scaled and numeric[i] and slots[i] >= 0:
            mean = scaler[slots[i], MEAN]
            variance = scaler[slots[i], DEVIATIONS] / scaler[slots[i], COUNT]
            x[i] = (values[i] - mean) * scaling.inverse_deviation(mean, variance)


@njit
def score(settings: Settings, rows: Rows, arrays: Arrays, scores: np.ndarray) -> None:
    """Raw ``scores`` (samples, outputs) with everything as it stands; -1 slots are left out."""
    sums = np.empty(arrays.factors.shape[1])
    for sample in range(len(rows.indptr) - 1):
        start, end = rows.indptr[sample], rows.indptr[sample + 1]
        slots, values = rows.slots[start:end], rows.values[start:end]
        x = np.empty(end - start)
        _scale(settings.scaled, slots, values, rows.numeric[start:end], arrays.scaler, x)
        _raw(arrays, slots, x, sums, scores[sample])
