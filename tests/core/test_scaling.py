"""Running standardisation: value by value, batch by batch and merged, it is one thing."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flink_ol.core.features.scaling import batch_moments, inverse_deviation, learned
from flink_ol.core.learner import Learner
from flink_ol.core.merging import moments
from flink_ol.core.state import Delta
from tests.core.streams import samples_of
from tests.core.tasks import learning

numbers = st.floats(-1e6, 1e6).map(lambda value: round(value, 6))
columns = st.lists(numbers, min_size=1, max_size=60)


def exact(values: list[float]) -> tuple[float, float, float]:
    """Count, mean and squared deviations without rounding on the way."""
    fractions = [Fraction(value) for value in values]
    mean = sum(fractions) / len(fractions)
    return len(values), float(mean), float(sum((value - mean) ** 2 for value in fractions))


def welford(values: list[float]) -> tuple[float, float, float]:
    mean = deviations = 0.0
    for i, value in enumerate(values):
        mean, deviations = learned(mean, deviations, value, 1.0 / (i + 1))
    return len(values), mean, deviations


def one_batch(values: list[float]) -> np.ndarray:
    n = len(values)
    return batch_moments(np.zeros(n, np.int64), np.array(values), np.ones(n, np.bool_), 1)[0]


def close(found: object, values: list[float]) -> None:
    scale = max(1.0, *map(abs, values))
    tolerance = np.array([0.0, 1e-13 * scale, 1e-13 * scale**2 * len(values)])
    assert (np.abs(np.array(found) - exact(values)) <= tolerance).all(), (found, exact(values))


@settings(deadline=None)
@given(columns)
def test_value_by_value_and_in_two_passes_are_the_exact_moments(values: list[float]) -> None:
    close(welford(values), values)
    close(one_batch(values), values)


@settings(deadline=None)
@given(columns, st.lists(st.integers(0, 60), max_size=6), st.randoms())
def test_merging_random_splits_in_any_order_is_the_whole(
    values: list[float], cuts: list[int], random: Random
) -> None:
    edges = [0, *sorted(min(cut, len(values)) for cut in cuts), len(values)]
    parts = [values[a:b] for a, b in pairwise(edges)]
    random.shuffle(parts)
    total = np.zeros(3)
    for part in parts:
        total = moments(total, one_batch(part) if part else np.zeros(3), 1.0)
    close(total, values)


def test_a_small_deviation_on_a_large_mean_does_not_cancel() -> None:
    values = [1e9 + i * 1e-3 for i in range(1000)]
    halves = moments(one_batch(values[:400]), one_batch(values[400:]), 1.0)
    for found in (one_batch(values), halves, np.array(welford(values))):
        np.testing.assert_allclose(found, exact(values), rtol=1e-3)


@settings(deadline=None)
@given(st.floats(-1e9, 1e9), st.lists(st.integers(1, 50), min_size=1, max_size=8))
def test_a_constant_has_no_deviation_however_it_is_merged(value: float, sizes: list[int]) -> None:
    total = np.zeros(3)
    for size in sizes:
        total = moments(total, one_batch([value] * size), 1.0)
    assert inverse_deviation(total[1], total[2] / total[0]) == 0.0


@pytest.mark.parametrize("value", [0.1, 1e9 + 0.1, -1e-7])
def test_many_equal_values_have_their_own_mean_and_no_deviation(value: float) -> None:
    _, mean, deviations = one_batch([value] * 200_000)
    assert mean == pytest.approx(value, rel=1e-15)
    assert inverse_deviation(mean, deviations / 200_000) == 0.0


def test_the_deviation_of_nothing_scales_to_zero() -> None:
    assert inverse_deviation(0.0, math.nan) == 0.0
    assert inverse_deviation(3.0, 0.0) == 0.0
    assert inverse_deviation(3.0, 4.0) == 0.5
    noise = (64 * 2.0**-52 * 1000.0) ** 2
    assert inverse_deviation(1000.0, noise) == 0.0
    assert inverse_deviation(1000.0, 4 * noise) > 0.0


def test_absent_and_categorical_features_are_not_counted() -> None:
    learner = Learner(learning("binary", "sgd"))
    state = learner.initial()
    samples = samples_of(
        [[(1, 5.0, True), (2, 1.0, False)], [(2, 1.0, False)], [(1, 7.0, True)]], [1.0, 0.0, 1.0]
    )
    mark = learner.mark(state, samples)
    learner.learn(state, samples, math.nan, 1.0)
    delta: Delta = learner.difference(state, mark, samples)
    assert delta.keys.tolist() == [1, 2]
    assert delta.arrays["scaler"].tolist() == [[2.0, 6.0, 2.0], [0.0, 0.0, 0.0]]
    assert state.rows("scaler").tolist() == [[2.0, 6.0, 2.0], [0.0, 0.0, 0.0]]
    assert state.rows("weights")[1, 0] != 0.0


@pytest.mark.parametrize("value", [1e151, -1e300])
def test_values_too_large_to_be_squared_are_not_finite_from_the_start(value: float) -> None:
    assert not np.isfinite(one_batch([value])).all()
