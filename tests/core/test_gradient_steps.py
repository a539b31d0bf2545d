"""Laws of a step along gradients, for every family."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from flink_ol.core.config import Features, FmModel, Learning, LinearModel, MlpModel, Model, Sgd
from flink_ol.core.learner import Learner
from flink_ol.core.state import Delta
from tests.core import tasks
from tests.core.gradients import (
    MODELS,
    OPTIMIZERS,
    PARAMETERS,
    assert_equal_bits,
    begun,
    every_model,
    suited,
)
from tests.core.laws import NAN, same
from tests.core.streams import samples_of
from tests.core.tasks import TASKS


@pytest.mark.parametrize("task", TASKS)
@every_model
def test_one_sample_steps_as_it_is_learned(family: str, task: str) -> None:
    check_one_sample(tasks.learning(task, "sgd", False, model=MODELS[family]))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "model", [LinearModel(clip_value=0.05), LinearModel(clip_norm=0.1, clip_value=0.04)]
)
@pytest.mark.parametrize("intercept", [True, False])
def test_a_sample_is_clipped_as_where_it_is_learned(model: LinearModel, intercept: bool) -> None:
    features = Features(scale="none", intercept=intercept)
    check_one_sample(tasks.learning("multiclass", "sgd", model=model, features=features))


def check_one_sample(settings: Learning) -> None:
    learner = Learner(settings)
    samples = suited(settings, 25, seed=37, weighted=True)
    stepped = learner.initial()
    stepped.slots(samples.keys)
    label = NAN
    for i in range(len(samples)):
        sample = samples.rows(i, i + 1)
        learned = stepped.copy()
        sums = learner.learn(learned, sample, label, 1.5)
        delta, sums_of_gradient = learner.gradient(stepped, sample, label)
        touched = learner.step(stepped, [delta], 1.0, 1.5)
        assert np.array_equal(touched, stepped.vocabulary.find(delta.keys))
        for spec in learner.specs:
            found, expected = stepped.rows(spec.name), learned.rows(spec.name)
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13, err_msg=spec.name)
        for key, array in sums.items():
            np.testing.assert_allclose(sums_of_gradient[key], array, rtol=1e-12)
        label = float(sample.labels[0])


@pytest.mark.parametrize("name", OPTIMIZERS)
@every_model
def test_a_step_merges_the_statistics_and_keeps_what_follows(family: str, name: str) -> None:
    learner = Learner(tasks.learning("binary", name, model=MODELS[family]))
    state = begun(learner)
    parts = [suited(learner.learning, 20, seed=seed) for seed in (38, 39)]
    deltas = [learner.gradient(state, part, NAN)[0] for part in parts]
    merged, kept = state.copy(), [{n: a.copy() for n, a in d.arrays.items()} for d in deltas]
    for delta in deltas:
        statistics = {n: a for n, a in delta.arrays.items() if not n.startswith(PARAMETERS)}
        learner.merge(merged, Delta(delta.keys, statistics), 1.0)
    touched = learner.step(state, deltas, 40.0, 1.0)
    for statistic in ("scaler", "steps", "baseline"):
        assert state.rows(statistic).tobytes() == merged.rows(statistic).tobytes()
    keys = list(dict.fromkeys(int(key) for delta in deltas for key in delta.keys))
    assert state.vocabulary.keys[touched].tolist() == keys
    derived = state.copy()
    learner.merge(derived, Delta(state.vocabulary.keys.copy(), {}), 1.0)
    assert same(derived, state)
    for delta, arrays in zip(deltas, kept, strict=True):
        assert_equal_bits(delta, Delta(delta.keys, arrays))


@every_model
def test_without_samples_nothing_steps(family: str) -> None:
    learner = Learner(tasks.learning("binary", "momentum", model=MODELS[family]))
    state = begun(learner)
    before = state.copy()
    empty, _ = learner.gradient(state, samples_of([], []), NAN)
    assert len(learner.step(state, [], 0.0, 1.0)) == 0
    assert len(learner.step(state, [empty, empty], 0.0, 1.0)) == 0
    assert same(state, before)


@every_model
def test_an_empty_part_adds_nothing(family: str) -> None:
    learner = Learner(tasks.learning("binary", "adam", model=MODELS[family]))
    state = begun(learner)
    twin = state.copy()
    part, _ = learner.gradient(state, suited(learner.learning, 20, seed=40), NAN)
    empty, _ = learner.gradient(state, samples_of([], []), NAN)
    learner.step(state, [part], 20.0, 1.0)
    learner.step(twin, [empty, part, empty], 20.0, 1.0)
    assert same(state, twin)


@every_model
def test_plain_descent_takes_the_mean_gradient_and_decays_once(family: str) -> None:
    rate, l2 = 0.02, 0.5
    models: dict[str, Model] = {
        "linear": LinearModel(l2=l2),
        "fm": FmModel(factors=3, l2=l2, factors_l2=l2, factors_learning_rate=2.0 * rate),
        "mlp": MlpModel(hidden=(5, 4), activation="gelu", l2=l2),
    }
    optimizer = Sgd(learning_rate=rate, intercept_learning_rate=None)
    learner = Learner(
        Learning(task="multiclass", classes=3, model=models[family], optimizer=optimizer, seed=2)
    )
    state = begun(learner)
    samples = suited(learner.learning, 300, seed=41, weighted=True)
    parts = [learner.gradient(state, samples.rows(*ends), NAN)[0] for ends in ((0, 90), (90, 300))]
    whole, _ = learner.gradient(state, samples, NAN)
    before, slots = state.copy(), state.slots(whole.keys)
    learner.step(state, parts, 150.0, 1.5)
    for name in (name for name in whole.arrays if name.startswith(PARAMETERS)):
        old, new, gradient = before.rows(name), state.rows(name), whole.arrays[name]
        if gradient.shape != old.shape or name in ("weights", "factors", "weights_1"):
            old, new = old[slots], new[slots]
        decay = l2 * old if name.startswith(("weights", "factors")) else 0.0
        pace = 1.5 * rate * (2.0 if name == "factors" else 1.0)
        expected = old - pace * (gradient / 150.0 + decay)
        np.testing.assert_allclose(new, expected, rtol=1e-12, atol=1e-13, err_msg=name)


@every_model
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_shards_give_the_same_bits_again_and_the_sum_at_once(family: str, name: str) -> None:
    learner = Learner(tasks.learning("regression", name, model=MODELS[family]))
    samples = suited(learner.learning, 90, seed=42, weighted=True)
    edges = (0, 11, 50, 50, 90)
    states = [begun(learner) for _ in range(3)]
    for _ in range(5):
        for state, cuts in zip(states, (edges, edges, (0, 90)), strict=True):
            deltas = [
                learner.gradient(state, samples.rows(*ends), NAN)[0] for ends in pairwise(cuts)
            ]
            learner.step(state, deltas, 90.0, 1.0)
    assert same(states[0], states[1])
    for spec in learner.specs:
        found, expected = (state.rows(spec.name) for state in states[1:])
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-11, err_msg=spec.name)
