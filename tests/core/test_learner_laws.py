"""What the rest of the system relies on, whatever is learned: marks, differences, merges."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from flink_ol.core.config import Learning, Task
from flink_ol.core.evaluation import metrics
from flink_ol.core.learner import Learner
from tests.core.laws import (
    NAN,
    assert_order_does_not_matter,
    assert_restored,
    own_and_folded,
    same,
)
from tests.core.streams import KEYS, random_samples, samples_of
from tests.core.tasks import TASKS, each, learning


@each
def test_restoring_gives_back_every_bit(settings: Learning) -> None:
    assert_restored(settings)


@each
def test_merging_the_differences_gives_the_learners_own_state(settings: Learning) -> None:
    learner = Learner(settings)
    own, folded = own_and_folded(learner, 300)
    for spec in learner.specs:
        np.testing.assert_allclose(
            folded.rows(spec.name), own.rows(spec.name), rtol=1e-12, atol=1e-12, err_msg=spec.name
        )


@each
def test_merging_ignores_the_order_of_arrival(settings: Learning) -> None:
    assert_order_does_not_matter(settings, 200)


@each
def test_samples_and_differences_are_left_as_they_were(settings: Learning) -> None:
    learner, state = Learner(settings), Learner(settings).initial()
    samples = random_samples(settings, 50, seed=11)
    arrays = [field for field in samples if isinstance(field, np.ndarray)]
    before = [field.copy() for field in arrays]
    for field in arrays:
        field.flags.writeable = False
    mark = learner.mark(state, samples)
    learner.learn(state, samples, NAN, 1.0)
    delta = learner.difference(state, mark, samples)
    copies = {name: array.copy() for name, array in delta.arrays.items()}
    learner.merge(learner.initial(), delta, 0.5)
    learner.learn(state, samples, NAN, 1.0)
    assert all(np.array_equal(a, b) for a, b in zip(arrays, before, strict=True))
    assert all(np.array_equal(delta.arrays[name], copy) for name, copy in copies.items())


@each
def test_learning_again_gives_the_same_bits(settings: Learning) -> None:
    samples = random_samples(settings, 80, seed=12)
    states = []
    for learner in (Learner(settings), pickle.loads(pickle.dumps(Learner(settings)))):
        state = learner.initial()
        learner.learn(state, samples, NAN, 1.0)
        states.append(state)
    assert same(*states)


@each
def test_nothing_is_learned_from_no_samples(settings: Learning) -> None:
    learner, state = Learner(settings), Learner(settings).initial()
    samples = random_samples(settings, 30, seed=13)
    learner.learn(state, samples, NAN, 1.0)
    before, nothing = state.copy(), samples.rows(0, 0)
    mark = learner.mark(state, nothing)
    sums = learner.learn(state, nothing, 1.0, 1.0)
    delta = learner.difference(state, mark, nothing)
    assert same(state, before)
    assert not any(value.any() for value in sums.values())
    assert all(not array.any() for array in delta.arrays.values())
    assert metrics(sums, settings)["scored"] == 0


def test_unknown_features_count_as_absent_in_scores_and_stay_unknown() -> None:
    settings = learning("binary", "sgd")
    learner, state = Learner(settings), Learner(settings).initial()
    learner.learn(state, random_samples(settings, 50, seed=14), NAN, 1.0)
    key = int(KEYS[0])
    known = samples_of([[(key, 0.7, True)]], [NAN])
    more = samples_of([[(424242, 5.0, True), (key, 0.7, True), (434343, 1.0, False)]], [NAN])
    before = state.copy()
    assert learner.scores(state, more) == learner.scores(state, known)
    assert same(state, before)


@pytest.mark.parametrize("task", TASKS)
def test_predictions_have_the_shape_of_the_task(task: Task) -> None:
    settings = learning(task, "ftrl")
    learner, state = Learner(settings), Learner(settings).initial()
    samples = random_samples(settings, 40, seed=15)
    learner.learn(state, samples, NAN, 1.0)
    answers = learner.predict(learner.scores(state, samples))
    assert answers.shape == {"binary": (40, 2), "multiclass": (40, 4), "regression": (40,)}[task]
    if task != "regression":
        np.testing.assert_allclose(answers.sum(axis=1), 1.0, rtol=1e-14)
        assert (answers.argmax(axis=1) == samples.labels).mean() > 0.6


@pytest.mark.parametrize("value", [1e200, -1e308, 1e160])
@pytest.mark.parametrize("scale", [True, False])
def test_a_number_too_large_to_learn_from_shows(value: float, scale: bool) -> None:
    settings = learning("regression", "sgd", scale)
    learner, state = Learner(settings), Learner(settings).initial()
    poison = samples_of([[(1, value, True)], [(1, 1.0, True)]], [1.0, 2.0])
    # unscaled it takes a second sample: the first meets a weight of 0
    for batch in (poison, poison.rows(0, 1)) if scale else (poison,):
        mark = learner.mark(state, batch)
        sums = learner.learn(state, batch, NAN, 1.0)
        delta = learner.difference(state, mark, batch)
        assert not (delta.finite() and all(np.isfinite(value).all() for value in sums.values()))
        learner.restore(state, mark)
        assert all(np.isfinite(state.rows(spec.name)).all() for spec in learner.specs)


def test_statistics_that_overflow_in_the_state_alone_show() -> None:
    learner = Learner(learning("binary", "sgd"))
    state = learner.initial()
    batch = samples_of([[(1, 1e149, True)]], [1.0])
    state.arrays["scaler"][state.slots(batch.keys)] = [10.0, 0.0, 1.797e308]
    mark = learner.mark(state, batch)
    learner.learn(state, batch, NAN, 1.0)
    assert np.isfinite(state.rows("scaler")).all()
    assert learner.difference(state, mark, batch).finite()
    state.arrays["scaler"][0, 2] = np.inf
    assert not learner.difference(state, mark, batch).finite()


def test_every_array_says_how_it_merges() -> None:
    rules = {
        name: {spec.name: spec.merge for spec in Learner(learning("binary", name)).specs}
        for name in ("sgd", "adagrad", "ftrl", "ftrl-late", "ftrl-intercept")
    }
    always = {"scaler": "moments", "steps": "sum", "baseline": "sum"}
    averaged = {"weights": "mean", "intercept": "mean", **always}
    assert rules["sgd"] == averaged
    assert rules["adagrad"] == {**averaged, "squares": "mean"}
    momentum, adam, adaptive = (
        {spec.name: spec.merge for spec in Learner(learning("binary", name)).specs}
        for name in ("momentum", "adam", "adaptive")
    )
    assert (momentum["velocity"], momentum["intercept_velocity"]) == ("mean", "mean")
    assert {adam[n] for n in ("mean_gradient", "mean_square", "optimizer_steps")} == {"mean"}
    assert (adaptive["squares"], adaptive["scales"], adaptive["norms"]) == ("sum", "max", "sum")
    assert rules["ftrl-late"] == {**averaged, "z": "mean", "n": "mean"}
    assert rules["ftrl"] == {**rules["ftrl-late"], "weights": "derived"}
    assert rules["ftrl-intercept"] == {
        **rules["ftrl"],
        "intercept": "derived",
        "intercept_z": "mean",
        "intercept_n": "mean",
    }
