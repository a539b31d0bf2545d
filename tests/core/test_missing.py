"""Absent numbers: as learned from samples in which they were put in by hand."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from flink_ol.core.config import Features, Learning, Sgd
from flink_ol.core.families import MlpModel
from flink_ol.core.features.missing import MOST_KNOWN
from flink_ol.core.learner import Learner
from flink_ol.core.loop import Loop
from flink_ol.core.samples import Samples
from flink_ol.core.state import State
from tests.core.streams import batches, random_samples, samples_of
from tests.core.test_minmax import by_hand as placed

Rows = list[list[tuple[int, float, bool]]]


def _settings(scale: str, missing: str, **rest: Any) -> Learning:
    features = Features(scale=scale, missing=missing)  # type: ignore[arg-type]
    optimizer = Sgd(learning_rate=0.02)
    return Learning(**{"task": "binary", "features": features, "optimizer": optimizer, **rest})


def _rows(samples: Samples) -> Rows:
    entries = list(
        zip(samples.keys.tolist(), samples.values.tolist(), samples.numeric.tolist(), strict=True)
    )
    return [entries[a:b] for a, b in pairwise(samples.indptr)]


def _filled(samples: Samples, means: bool) -> Samples:
    """0, or the mean of the values so far, for each number met in an earlier sample."""
    met: dict[int, list[float]] = {}
    rows: Rows = []
    for row in _rows(samples):
        here = {key for key, _, _ in row}
        added = [
            (key, sum(values) / len(values) if means else 0.0, not means)
            for key, values in met.items()
            if key not in here
        ]
        rows.append(row + added)
        for key, value, numeric in row:
            if numeric:
                met.setdefault(key, []).append(value)
    return samples_of(rows, samples.labels.tolist())


def _learned(settings: Learning, parts: list[Samples]) -> tuple[Learner, State]:
    learner = Learner(settings)
    state = learner.initial()
    for part in parts:
        whole = learner.filled(state, part)
        learner.mark(state, whole)
        learner.learn(state, whole, math.nan, 1.0)
    return learner, state


def _same(a: State, b: State, names: tuple[str, ...]) -> None:
    order = b.vocabulary.find(a.vocabulary.keys)
    assert a.vocabulary.size == b.vocabulary.size
    for name in names:
        np.testing.assert_allclose(a.rows(name), b.rows(name)[order], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize("scale", ["standard", "min_max"])
def test_zero_is_as_if_the_records_said_0(scale: str, cut: bool) -> None:
    settings = _settings(scale, "zero")
    samples = random_samples(settings, 150, seed=2)
    _, found = _learned(settings, batches(samples, 3) if cut else [samples])
    _, expected = _learned(_settings(scale, "skip"), [_filled(samples, False)])
    _same(found, expected, ("weights", "scaler" if scale == "standard" else "extremes"))


@pytest.mark.parametrize("cut", [False, True])
def test_mean_puts_in_the_mean_so_far_and_does_not_count_it(cut: bool) -> None:
    settings = _settings("none", "mean", optimizer=Sgd(learning_rate=1e-7))
    samples = random_samples(settings, 150, seed=2)
    _, found = _learned(settings, batches(samples, 3) if cut else [samples])
    plain = _settings("none", "skip", optimizer=Sgd(learning_rate=1e-7))
    _, expected = _learned(plain, [_filled(samples, True)])
    _same(found, expected, ("weights",))
    for key, row in zip(found.vocabulary.keys, found.rows("means"), strict=True):
        values = samples.values[(samples.keys == key) & samples.numeric]
        assert row[0] == len(values)
        if len(values):
            assert row[1] == pytest.approx(values.mean())


def test_the_mean_of_placed_numbers_is_put_in_at_its_place() -> None:
    settings = _settings("min_max", "mean")
    learner = Learner(settings)
    state = learner.initial()
    first = samples_of(
        [[(1, 0.0, True)], [(1, 4.0, True)], [(1, 2.0, True)], [(2, 1.0, True)]], [1.0] * 4
    )
    found = learner.filled(state, first)
    assert _rows(found)[3] == [(2, 1.0, True), (1, 0.5, False)]
    learner.mark(state, found)
    learner.learn(state, found, math.nan, 1.0)
    assert state.rows("extremes")[0].tolist() == [3.0, 0.0, 4.0]


@pytest.mark.parametrize(("scale", "missing"), [("standard", "mean"), ("none", "zero")])
def test_what_changes_nothing_is_not_put_in(scale: str, missing: str) -> None:
    settings = _settings(scale, missing)
    samples = random_samples(settings, 50, seed=2)
    learner, state = _learned(settings, [samples])
    assert learner.filled(state, samples) is samples
    assert [spec.name for spec in learner.specs] == [
        spec.name for spec in Learner(_settings(scale, "skip")).specs
    ]


def test_networks_and_requests_have_them_put_in_too() -> None:
    settings = _settings("min_max", "zero", model=MlpModel(hidden=()))
    samples = random_samples(settings, 60, seed=2)
    learner, state = _learned(settings, [samples])
    size = state.vocabulary.size
    request = samples_of([[(int(samples.keys[0]), 0.3, True), (12345, 1.0, True)]], [math.nan])
    empty = samples_of([[]], [math.nan])
    numbers = [
        int(k)
        for k, row in zip(state.vocabulary.keys, state.rows("extremes"), strict=True)
        if row[0]
    ]
    zeros = samples_of([[(key, 0.0, True) for key in numbers]], [math.nan])
    assert learner.scores(state, empty)[0, 0] == pytest.approx(learner.scores(state, zeros)[0, 0])
    assert learner.scores(state, empty)[0, 0] != learner.scores_of_filled(state, empty)[0, 0]
    assert np.isfinite(learner.scores(state, request)).all()
    assert state.vocabulary.size == size


def test_batches_make_no_difference_in_the_whole_loop() -> None:
    settings = _settings("min_max", "zero")
    samples = random_samples(settings, 120, seed=6)
    models = []
    for parts in ([samples], batches(samples, 1)):
        loop = Loop(Learner(settings), "job", "hash", lambda: 0)
        for part in parts:
            assert not loop.batch(0, part)
        models.append(loop.snapshot())
    a, b = models
    assert a.frame.keys.tolist() == b.frame.keys.tolist()
    assert a.names == b.names
    np.testing.assert_allclose(a.frame.arrays["weights"], b.frame.arrays["weights"], rtol=1e-9)
    _, expected = _learned(_settings("none", "skip"), [placed(_filled(samples, False))])
    order = expected.vocabulary.find(a.frame.keys)
    np.testing.assert_allclose(
        a.frame.arrays["weights"], expected.rows("weights")[order], rtol=1e-9, atol=1e-12
    )


def test_only_so_many_features_are_put_in() -> None:
    learner = Learner(_settings("standard", "zero"))
    wide = [(key, 1.0, True) for key in range(MOST_KNOWN + 5)]
    found = learner.filled(learner.initial(), samples_of([wide, [], wide[:2]], [1.0, 0.0, 1.0]))
    assert np.diff(found.indptr).tolist() == [len(wide), MOST_KNOWN, MOST_KNOWN]
