"""The compiled learner against the plain loop."""

from __future__ import annotations

import math

import numpy as np
import pytest

from flink_ol.core.config import Features, Learning, LinearModel, Task
from flink_ol.core.learner import Learner
from flink_ol.core.samples import Samples
from flink_ol.core.state import State
from tests.core.streams import batches, random_samples, samples_of
from tests.core.tasks import TASKS, every, learning
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
        kept = [[witness.kept[int(k), o][name] for o in range(learner.outputs)] for k in keys]
        np.testing.assert_allclose(state.rows(name)[slots], kept, rtol=1e-12, atol=1e-12)
    if "scaler" in state.arrays:
        scaler = [witness.scaler.get(int(k), [0.0, 0.0, 0.0]) for k in keys]
        np.testing.assert_allclose(state.rows("scaler")[slots], scaler, rtol=1e-12, atol=1e-12)


def scored(sums: dict[str, np.ndarray]) -> float:
    """What the samples cost before they were learned from."""
    return float(sums["squared_error" if "squared_error" in sums else "log_loss"][0])


def long_way(settings: Learning, scores: list[list[float]], samples: Samples) -> float:
    total = 0.0
    for raw, label in zip(scores, samples.labels, strict=True):
        if settings.task == "regression":
            total += (raw[0] - label) ** 2
        elif settings.task == "binary":
            total += math.log1p(math.exp(raw[0] if label == 0 else -raw[0]))
        else:
            total += math.log(sum(map(math.exp, raw))) - raw[int(label)]
    return total


def test_a_feature_that_changes_its_place_in_the_row_is_scored_with_its_newest_scale() -> None:
    settings = learning("regression", "sgd")
    learner, witness, state = Learner(settings), Witness(settings), Learner(settings).initial()
    both, alone = [(1, 2.0, True), (2, 1.0, True)], [(2, 30.0, True)]
    rows = [both, [(1, 3.0, True), (2, 2.5, True)], alone, alone, both]
    samples = samples_of(rows, [1.0, 2.0, 3.0, 5.0, 4.0])
    sums = learner.learn(state, samples, NAN, 1.0)
    expected = long_way(settings, witness.learn(samples), samples)
    np.testing.assert_allclose(scored(sums), expected, rtol=1e-12)


@every
def test_the_compiled_loop_equals_the_plain_one(settings: Learning) -> None:
    learner, witness = Learner(settings), Witness(settings)
    samples = values_apart(settings, random_samples(settings, 200, seed=1, weighted=True))
    state, label = learner.initial(), NAN
    for batch in batches(samples, seed=2):
        known = learner.scores(state, batch.rows(0, min(1, len(batch))))
        sums = learner.learn(state, batch, label, 1.0)
        expected = witness.learn(batch)
        np.testing.assert_allclose(scored(sums), long_way(settings, expected, batch), rtol=1e-11)
        np.testing.assert_allclose(known, np.array(expected[:1] or known), rtol=1e-11, atol=1e-12)
        label = float(batch.labels[-1]) if len(batch) else label
    agree(learner, state, witness)


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


@pytest.mark.parametrize("name", ["sgd", "adagrad", "ftrl"])
def test_the_rate_scale_is_for_sgd_only(name: str) -> None:
    settings = learning("binary", name)
    learner, witness, state = Learner(settings), Witness(settings), Learner(settings).initial()
    samples = random_samples(settings, 100, seed=4)
    learner.learn(state, samples, NAN, 3.0)
    witness.learn(samples, rate_scale=3.0)
    agree(learner, state, witness)
