"""Places between running extremes: as learned from numbers that were placed by hand."""

from __future__ import annotations

import math
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flink_ol.core.config import Features, Learning
from flink_ol.core.features.extremes import batch_extremes, place, placed
from flink_ol.core.learner import Learner
from flink_ol.core.merging import extremes
from flink_ol.core.samples import Samples
from tests.core.streams import random_samples, samples_of
from tests.core.tasks import TASKS, learning

columns = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40)


def one_batch(values: list[float]) -> np.ndarray:
    n = len(values)
    return batch_extremes(np.zeros(n, np.int64), np.array(values), np.ones(n, np.bool_), 1)[0]


def by_hand(samples: Samples) -> Samples:
    """Every number at its place between the extremes so far, in plain Python."""
    met: dict[int, tuple[float, float]] = {}
    values = []
    for key, value, numeric in zip(
        samples.keys.tolist(), samples.values.tolist(), samples.numeric.tolist(), strict=True
    ):
        if numeric:
            least, most = met.get(key, (value, value))
            least, most = met[key] = min(least, value), max(most, value)
            value = (value - least) / (most - least) if most > least else 0.0
        values.append(value)
    rows = samples.labels, samples.importance, samples.offsets, samples.names
    return Samples(samples.indptr, samples.keys, np.array(values), samples.numeric, *rows)


@pytest.mark.parametrize("optimizer", ["sgd", "ftrl"])
@pytest.mark.parametrize("task", TASKS)
def test_it_learns_what_is_learned_from_numbers_placed_by_hand(task, optimizer: str) -> None:  # type: ignore[no-untyped-def]
    scaled = learning(task, optimizer, features=Features(scale="min_max"))
    plain = learning(task, optimizer, scale=False)
    samples = random_samples(plain, 200, seed=4)
    ours, theirs = Learner(scaled), Learner(plain)
    state, expected = ours.initial(), theirs.initial()
    mark = ours.mark(state, samples)
    theirs.mark(expected, by_hand(samples))
    sums = ours.learn(state, samples, math.nan, 1.0)
    same = theirs.learn(expected, by_hand(samples), math.nan, 1.0)
    np.testing.assert_allclose(state.rows("weights"), expected.rows("weights"), rtol=1e-9)
    for name in same:
        np.testing.assert_allclose(sums[name], same[name], rtol=1e-9)
    # and the difference makes the same model
    model = ours.initial()
    ours.merge(model, ours.difference(state, mark, samples), 1.0)
    for spec in ours.specs:
        np.testing.assert_allclose(model.rows(spec.name), state.rows(spec.name), rtol=1e-12)
    np.testing.assert_array_equal(model.rows("extremes"), state.rows("extremes"))


@settings(deadline=None)
@given(columns, st.lists(st.integers(0, 40), max_size=6), st.randoms())
def test_merging_random_splits_in_any_order_is_the_whole(
    values: list[float], cuts: list[int], random: Random
) -> None:
    edges = [0, *sorted(min(cut, len(values)) for cut in cuts), len(values)]
    parts = [values[a:b] for a, b in pairwise(edges)]
    random.shuffle(parts)
    total = np.zeros(3)
    for part in parts:
        total = extremes(total, one_batch(part) if part else np.zeros(3), 1.0)
    assert total.tolist() == [len(values), min(values), max(values)]


def test_extremes_of_many_features_merge_row_by_row() -> None:
    ours = np.array([[2.0, -1.0, 4.0], [0.0, 0.0, 0.0], [1.0, 5.0, 5.0]])
    theirs = np.array([[1.0, -3.0, -3.0], [2.0, 7.0, 8.0], [0.0, 0.0, 0.0]])
    expected = [[3.0, -3.0, 4.0], [2.0, 7.0, 8.0], [1.0, 5.0, 5.0]]
    assert extremes(ours, theirs, 0.5).tolist() == expected
    assert extremes(theirs, ours, 0.5).tolist() == expected
    assert ours[0].tolist() == [2.0, -1.0, 4.0]


@given(st.floats(-1e308, 1e308), st.floats(-1e308, 1e308), st.floats(-1e308, 1e308))
def test_places_are_between_0_and_1(a: float, b: float, c: float) -> None:
    least, value, most = sorted((a, b, c))
    assert 0.0 <= placed(value, least, most) <= 1.0


def test_constants_are_0_and_values_beyond_what_was_learned_stay_inside() -> None:
    settings = Learning(task="regression", features=Features(scale="min_max"))
    learner = Learner(settings)
    state = learner.initial()
    rows = [[(1, 5.0, True), (2, value, True), (3, 9.0, False)] for value in (0.0, 4.0)]
    samples = samples_of(rows, [1.0, 2.0])
    learner.mark(state, samples)
    learner.learn(state, samples, math.nan, 1.0)
    assert state.rows("extremes").tolist() == [[2.0, 5.0, 5.0], [2.0, 0.0, 4.0], [0.0, 0.0, 0.0]]
    slots = np.array([0, 1, 1, 1, 2, -1])
    values, numeric = (
        np.array([5.0, 1.0, -7.0, 9.0, 9.0, 3.0]),
        np.array([True] * 4 + [False, True]),
    )
    before = state.arrays["extremes"].copy()
    found = place(slots, values, numeric, state.arrays["extremes"], False)
    assert found[:5].tolist() == [0.0, 0.25, 0.0, 1.0, 9.0]
    np.testing.assert_array_equal(state.arrays["extremes"], before)
