"""The compiled loops of linear models, for every loss, optimizer and number of outputs.

Per sample, in this order (River 0.26): score with the statistics so far; the scaler learns the
sample; the gradient is taken at the newly scaled values; intercept and weights step.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from flink_ol.core import losses, optimizers
from flink_ol.core.compiled import njit
from flink_ol.core.families import adaptive_steps, penalties
from flink_ol.core.families.setting import COORDINATE, NO_INTERCEPT, OWN_RATE
from flink_ol.core.features import scaling
from flink_ol.core.features.scaling import COUNT, DEVIATIONS, MEAN
from flink_ol.core.optimizers import schedules

_NOBODY = np.uint64(2**63)  # a slot that no feature has


class Settings(NamedTuple):
    """What the loops are told once per batch: plain numbers and vectors, so one compilation."""

    loss: int  # code
    loss_parameters: tuple[float, ...]  # losses.PARAMETERS numbers
    optimizer: int  # code
    parameters: tuple[float, ...]  # PARAMETERS numbers, the optimizer's own
    learning_rate: float
    intercept: int  # NO_INTERCEPT, OWN_RATE or COORDINATE
    intercept_rate: float
    l2: float
    l1: float
    clip_value: float  # 0: none
    clip_norm: float  # 0: none
    schedule: int  # code
    schedule_parameters: tuple[float, ...]  # PARAMETERS numbers
    warm_up: float  # samples
    scaled: bool
    accumulators: int  # 0 to 2
    whole_sample: bool  # steps of adaptive_steps


class Rows(NamedTuple):
    """Samples with slots in place of keys; a slot of -1 is a feature nobody knows."""

    indptr: np.ndarray  # (samples + 1,) int64
    slots: np.ndarray  # (entries,) int64
    values: np.ndarray  # (entries,) float64
    numeric: np.ndarray  # (entries,) bool
    labels: np.ndarray  # (samples,) float64
    importance: np.ndarray  # (samples,) float64


class Arrays(NamedTuple):
    """The arrays of a state that the loops work on; those not in use have no rows."""

    weights: np.ndarray  # (slots, outputs) float64
    first: np.ndarray  # (slots, outputs) float64, the optimizer's accumulators
    second: np.ndarray
    intercept: np.ndarray  # (1, outputs) float64
    intercept_first: np.ndarray  # (1, outputs) float64
    intercept_second: np.ndarray
    scaler: np.ndarray  # (slots, 3) float64
    steps: np.ndarray  # (1,) int64
    optimizer_steps: np.ndarray  # (1,) float64
    norms: np.ndarray  # (outputs, 2) float64
    rates: np.ndarray  # (slots, 1) float64, factors of the rate


@njit
def learn(settings: Settings, rows: Rows, arrays: Arrays, scores: np.ndarray) -> None:
    """Score and learn sample by sample; ``arrays`` in place, raw ``scores`` (samples, outputs).

    Every slot must be known.
    """
    # Names of their own for everything: fields and slices inside the loops would be counted
    # references, at several times the cost of the arithmetic. Unsigned indices spare the
    # question whether they count from the end, a fifth of the time.
    indptr, signed_slots, values, numeric, labels, importance = rows
    slots = signed_slots.view(np.uint64)
    weights, first, second, intercept, intercept_first, intercept_second = arrays[:6]
    scaler, steps, optimizer_steps, norms, rates = arrays[6:]
    loss, loss_parameters, optimizer, parameters, learning_rate, intercept_kind = settings[:6]
    intercept_rate, l2, l1, clip_value, clip_norm, schedule, schedule_parameters = settings[6:13]
    warm_up, is_scaled, accumulators, whole_sample = settings[13:]
    has_rates = len(rates) > 0
    plain = not (l1 > 0.0 or clip_value > 0.0 or has_rates)
    outputs = scores.shape[1]
    longest = 0
    for sample in range(len(labels)):
        longest = max(longest, indptr[sample + 1] - indptr[sample])
    x = np.empty(longest)
    # Inverse deviations by position in the row: in dense rows a position is always the same
    # feature, and what the last sample left behind is what this one is scored with.
    known = np.full(longest, _NOBODY, np.uint64)
    known_count = np.empty(longest)
    inverse = np.empty(longest)
    last_count, share = 0.0, 0.0
    raw = np.empty(outputs)
    gradients = np.empty(outputs)
    t = steps[0]
    number = optimizer_steps[0]

    for sample in range(len(labels)):
        start = np.uint64(indptr[sample])
        length = np.uint64(indptr[sample + 1]) - start
        for i in range(length):
            slot, value = slots[start + i], values[start + i]
            if is_scaled and numeric[start + i]:
                count, mean = scaler[slot, COUNT], scaler[slot, MEAN]
                if slot != known[i] or count != known_count[i]:
                    inverse[i] = scaling.inverse_deviation(mean, scaler[slot, DEVIATIONS] / count)
                value = (value - mean) * inverse[i]
            x[i] = value
        for output in range(outputs):
            total = intercept[0, output]
            for i in range(length):
                total += weights[slots[start + i], output] * x[i]
            raw[output] = total
            scores[sample, output] = total

        if is_scaled:
            for i in range(length):
                if numeric[start + i]:
                    slot, value = slots[start + i], values[start + i]
                    count = scaler[slot, COUNT] + 1.0
                    if count != last_count:
                        last_count, share = count, 1.0 / count
                    mean, deviations = scaling.learned(
                        scaler[slot, MEAN], scaler[slot, DEVIATIONS], value, share
                    )
                    scaler[slot, COUNT] = count
                    scaler[slot, MEAN] = mean
                    scaler[slot, DEVIATIONS] = deviations
                    known[i], known_count[i] = slot, count
                    inverse[i] = scaling.inverse_deviation(mean, deviations * share)
                    x[i] = (value - mean) * inverse[i]
            for output in range(outputs):
                total = intercept[0, output]
                for i in range(length):
                    total += weights[slots[start + i], output] * x[i]
                raw[output] = total

        if outputs == 1:
            gradients[0] = losses.gradient(loss, loss_parameters, raw[0], labels[sample])
        else:
            losses.gradients(loss, loss_parameters, raw, labels[sample], gradients)
        rate = learning_rate * schedules.factor(schedule, schedule_parameters, t)
        if t < warm_up:
            rate *= (t + 1.0) / warm_up
        t += 1
        number += 1.0
        if whole_sample:
            for output in range(outputs):
                adaptive_steps.step(
                    loss,
                    parameters,
                    rate,
                    raw[output],
                    labels[sample],
                    importance[sample],
                    gradients[output],
                    output,
                    slots[start : start + length],
                    x,
                    weights,
                    first,
                    second,
                    intercept_kind != NO_INTERCEPT,
                    intercept,
                    intercept_first,
                    intercept_second,
                    norms,
                )
            continue
        shrink = importance[sample]
        if clip_norm > 0.0:
            one = 0.0 if intercept_kind == NO_INTERCEPT else 1.0
            shrink *= penalties.norm_factor(gradients, shrink, x, length, one, clip_norm)
        for output in range(outputs):
            gradient = gradients[output] * shrink
            of_intercept = penalties.clipped(gradient, clip_value)
            if intercept_kind == OWN_RATE:
                intercept[0, output] -= intercept_rate * of_intercept
            elif intercept_kind == COORDINATE:
                weight, a, b = optimizers.step(
                    optimizer,
                    parameters,
                    intercept[0, output],
                    intercept_first[0, output],
                    intercept_second[0, output],
                    of_intercept,
                    rate,
                    number,
                )
                intercept[0, output] = weight
                intercept_first[0, output] = a
                intercept_second[0, output] = b
            for i in range(length):
                slot = slots[start + i]
                weight = weights[slot, output]
                a = first[slot, output] if accumulators > 0 else 0.0
                b = second[slot, output] if accumulators > 1 else 0.0
                if plain:
                    whole = gradient * x[i] + l2 * weight
                    weight, a, b = optimizers.step(
                        optimizer, parameters, weight, a, b, whole, rate, number
                    )
                else:
                    whole = penalties.clipped(gradient * x[i], clip_value) + l2 * weight
                    own = rate * rates[slot, 0] if has_rates else rate
                    weight, a, b = optimizers.step(
                        optimizer, parameters, weight, a, b, whole, own, number
                    )
                    weight = penalties.truncated(weight, own * l1)
                weights[slot, output] = weight
                if accumulators > 0:
                    first[slot, output] = a
                if accumulators > 1:
                    second[slot, output] = b
    steps[0] = t
    optimizer_steps[0] = number


@njit
def score(settings: Settings, rows: Rows, arrays: Arrays, scores: np.ndarray) -> None:
    """Raw ``scores`` (samples, outputs) with everything as it stands; -1 slots are left out."""
    weights, intercept, scaler = arrays.weights, arrays.intercept, arrays.scaler
    for sample in range(len(rows.indptr) - 1):
        for output in range(scores.shape[1]):
            scores[sample, output] = intercept[0, output]
        for entry in range(rows.indptr[sample], rows.indptr[sample + 1]):
            slot, value = rows.slots[entry], rows.values[entry]
            if slot < 0:
                continue
            if settings.scaled and rows.numeric[entry]:
                mean = scaler[slot, MEAN]
                variance = scaler[slot, DEVIATIONS] / scaler[slot, COUNT]
                value = (value - mean) * scaling.inverse_deviation(mean, variance)
            for output in range(scores.shape[1]):
                scores[sample, output] += weights[slot, output] * value


@njit
def derive(
    optimizer: int,
    parameters: tuple[float, ...],
    weights: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    slots: np.ndarray,
) -> None:
    """Weights of ``slots`` anew from the optimizer's accumulators; all (slots, outputs)."""
    for slot in slots:
        for output in range(weights.shape[1]):
            weights[slot, output] = optimizers.derived(
                optimizer,
                parameters,
                weights[slot, output],
                first[slot, output],
                second[slot, output],
            )
