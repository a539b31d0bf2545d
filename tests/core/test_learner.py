"""The compiled learner against the plain loop."""

from __future__ import annotations

import numpy as np
import pytest

from flink_ol.core.config import Features, Learning, LinearModel, Task
from flink_ol.core.learner import Learner
from flink_ol.core.samples import Samples
from flink_ol.core.state import State
from tests.core.streams import batches, random_samples
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


@every
def test_the_compiled_loop_equals_the_plain_one(settings: Learning) -> None:
    learner, witness = Learner(settings), Witness(settings)
    samples = values_apart(settings, random_samples(settings, 200, seed=1, weighted=True))
    state, label = learner.initial(), NAN
    for batch in batches(samples, seed=2):
        known = learner.scores(state, batch.rows(0, min(1, len(batch))))
        learner.learn(state, batch, label, 1.0)
        expected = witness.learn(batch)
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
