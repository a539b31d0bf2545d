"""The compiled learner against the plain loop."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from flink_ol.core.config import (
    Features,
    Learning,
    LinearModel,
    Sgd,
    Task,
)
from flink_ol.core.features.hashing import feature_key
from flink_ol.core.learner import Learner, _rows
from flink_ol.core.losses.epsilon_insensitive import EpsilonInsensitive
from flink_ol.core.losses.hinge import Hinge
from flink_ol.core.losses.huber import Huber
from flink_ol.core.losses.poisson import Poisson
from flink_ol.core.losses.quantile import Quantile
from flink_ol.core.losses.squared_hinge import SquaredHinge
from flink_ol.core.samples import Samples
from flink_ol.core.state import State
from tests.core.laws import same
from tests.core.streams import batches, random_samples, samples_of
from tests.core.tasks import OPTIMIZERS, TASKS, every, learning
from tests.core.witness import Witness

NAN = float("nan")


def values_apart(settings: Learning, samples: Samples) -> Samples:
    """Unscaled, a feature around 1000 would make the weights explode: shrink it."""
    if settings.features.scale == "standard":
        return samples
    return Samples(
        **{**samples._asdict(), "values": np.where(samples.values > 500, 1.0, samples.values)}
    )


def agree(learner: Learner, state: State, witness: Witness) -> None:
    keys = np.array(list(witness.weights), np.int64)
    slots = state.vocabulary.find(keys)
    weights = np.array(list(witness.weights.values())).reshape(len(keys), learner.outputs)
    np.testing.assert_allclose(state.rows("weights")[slots], weights, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(state.arrays["intercept"], witness.intercept, rtol=1e-12, atol=1e-12)
    assert state.arrays["steps"][0] == witness.steps
    for name, _ in learner.learning.optimizer.kind().accumulators:
        kept = [
            [witness.kept.get((int(k), o), {}).get(name, 0.0) for o in range(learner.outputs)]
            for k in keys
        ]
        np.testing.assert_allclose(state.rows(name)[slots], kept, rtol=1e-12, atol=1e-12)
    if "scaler" in state.arrays:
        scaler = [witness.scaler.get(int(k), [0.0, 0.0, 0.0]) for k in keys]
        np.testing.assert_allclose(state.rows("scaler")[slots], scaler, rtol=1e-12, atol=1e-12)


def learned(
    learner: Learner, state: State, samples: Samples, rate_scale: float = 1.0
) -> np.ndarray:
    """The raw scores that the samples had before they were learned from."""
    slots = state.slots(samples.keys)
    return learner._family.learn(state.arrays, _rows(samples, slots), rate_scale)


def test_a_feature_that_changes_its_place_in_the_row_is_scored_with_its_newest_scale() -> None:
    settings = learning("regression", "sgd")
    learner, witness, state = Learner(settings), Witness(settings), Learner(settings).initial()
    both, alone = [(1, 2.0, True), (2, 1.0, True)], [(2, 30.0, True)]
    rows = [both, [(1, 3.0, True), (2, 2.5, True)], alone, alone, both]
    samples = samples_of(rows, [1.0, 2.0, 3.0, 5.0, 4.0])
    scores = learned(learner, state, samples)
    np.testing.assert_allclose(scores, witness.learn(samples), rtol=1e-12)


@every
def test_the_compiled_loop_equals_the_plain_one(settings: Learning) -> None:
    learner, witness = Learner(settings), Witness(settings)
    samples = values_apart(settings, random_samples(settings, 200, seed=1, weighted=True))
    state = learner.initial()
    for batch in batches(samples, seed=2):
        known = learner.scores(state, batch.rows(0, min(1, len(batch))))
        scores, expected = learned(learner, state, batch), witness.learn(batch)
        np.testing.assert_allclose(scores, np.array(expected or scores), rtol=1e-11, atol=1e-11)
        np.testing.assert_allclose(known, np.array(expected[:1] or known), rtol=1e-11, atol=1e-11)
    agree(learner, state, witness)


@every
def test_a_mark_spares_looking_up_the_features_and_changes_nothing(settings: Learning) -> None:
    learner = Learner(settings)
    state, twin = learner.initial(), learner.initial()
    for batch in batches(random_samples(settings, 100, seed=1), seed=2):
        mark = learner.mark(state, batch)
        with_mark = learner.learn(state, batch, NAN, 1.0, mark)
        without = learner.learn(twin, batch, NAN, 1.0)
        assert same(state, twin)
        assert all(np.array_equal(with_mark[name], without[name]) for name in without)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("intercept", [True, False])
def test_l2_shrinks_what_is_touched_and_never_the_intercept(task: Task, intercept: bool) -> None:
    settings = learning(
        task,
        "sgd",
        model=LinearModel(l2=0.1),
        features=Features(scale="standard", intercept=intercept),
    )
    learner, witness, state = Learner(settings), Witness(settings), Learner(settings).initial()
    samples = random_samples(settings, 150, seed=3)
    learner.learn(state, samples, NAN, 1.0)
    witness.learn(samples)
    agree(learner, state, witness)
    assert bool(state.arrays["intercept"].any()) == intercept


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_the_rate_scale_multiplies_steps_and_what_adds_up(name: str) -> None:
    settings = learning("binary", name)
    learner, witness, state = Learner(settings), Witness(settings), Learner(settings).initial()
    samples = random_samples(settings, 100, seed=4)
    learner.learn(state, samples, NAN, 3.0)
    witness.learn(samples, rate_scale=3.0)
    agree(learner, state, witness)


@pytest.mark.parametrize("optimizer", ["sgd", "adaptive", "adam"])
@pytest.mark.parametrize(
    "loss",
    [
        Hinge(),
        SquaredHinge(),
        Huber(delta=0.7),
        EpsilonInsensitive(epsilon=0.3),
        Quantile(level=0.8),
        Poisson(),
    ],
    ids=lambda loss: loss.name,
)
def test_every_loss_is_learned_as_the_plain_loop_does(loss: Any, optimizer: str) -> None:
    settings = learning(loss.TASKS[0], optimizer, loss=loss)
    learner, witness, state = Learner(settings), Witness(settings), Learner(settings).initial()
    samples = random_samples(settings, 200, seed=1, weighted=True)
    samples = Samples(**{**samples._asdict(), "labels": np.abs(samples.labels)})
    scores = learned(learner, state, samples)
    np.testing.assert_allclose(scores, witness.learn(samples), rtol=1e-11, atol=1e-11)
    agree(learner, state, witness)


PENALTIES = [
    LinearModel(l1=0.05),
    LinearModel(l1=0.02, l2=0.03),
    LinearModel(clip_value=0.3),
    LinearModel(clip_norm=0.4, l2=0.01),
    LinearModel(clip_value=0.2, clip_norm=0.5, l1=0.01),
]


@pytest.mark.parametrize("optimizer", ["sgd", "sgd-features", "momentum", "adagrad", "adamw"])
@pytest.mark.parametrize("model", PENALTIES, ids=str)
@pytest.mark.parametrize("task", TASKS)
def test_penalties_and_clipping_are_those_of_the_plain_loop(
    task: Task, model: LinearModel, optimizer: str
) -> None:
    settings = learning(task, optimizer, model=model)
    learner, witness, state = Learner(settings), Witness(settings), Learner(settings).initial()
    samples = random_samples(settings, 120, seed=5, weighted=True)
    scores = learned(learner, state, samples)
    np.testing.assert_allclose(scores, witness.learn(samples), rtol=1e-11, atol=1e-11)
    agree(learner, state, witness)


def test_l1_keeps_weights_at_zero_whose_gradients_are_smaller() -> None:
    settings = learning("binary", "sgd", model=LinearModel(l1=0.2))
    rng = np.random.default_rng(6)
    values = rng.normal(size=(500, 5)) * [0.05, 0.05, 1.0, 0.05, 0.05]
    rows = [[(k, float(v), False) for k, v in enumerate(row)] for row in values]
    learner, state = Learner(settings), Learner(settings).initial()
    learned(learner, state, samples_of(rows, [float(row[2][1] > 0) for row in rows]))
    weights = state.rows("weights")[:, 0]
    assert weights[2] > 0.1
    assert not weights[[0, 1, 3, 4]].any()


def test_a_features_own_rate_is_found_by_its_name() -> None:
    fast = Sgd(learning_rate=0.01, feature_learning_rates={"fast": 0.03})
    for bits in (None, 18):
        settings = Learning(
            task="regression", optimizer=fast, features=Features(scale="none", hash_bits=bits)
        )
        learner, state = Learner(settings), Learner(settings).initial()
        row = [(feature_key(name, bits), 1.0, True) for name in ("slow", "fast")]
        learned(learner, state, samples_of([row], [1.0]))
        np.testing.assert_allclose(state.rows("weights")[:, 0], [0.02, 0.06], rtol=1e-14)


@pytest.mark.parametrize("loss", ["logistic", "squared"])
def test_adaptive_takes_an_importance_for_its_limit_of_many_small_steps(loss: str) -> None:
    """The raw score goes towards the label and, however important, never past it."""
    settings = learning("binary" if loss == "logistic" else "regression", "adaptive", scale=False)
    ends = []
    for importance in (1.0, 1e3, 1e9):
        learner, state = Learner(settings), Learner(settings).initial()
        row = samples_of([[(1, 2.0, True)]], [1.0], [importance])
        learned(learner, state, row)
        ends.append(float(learner.scores(state, row)[0, 0]))
    assert 0 < ends[0] < ends[1] <= ends[2]
    assert loss == "logistic" or ends[2] <= 1.0 + 1e-12
