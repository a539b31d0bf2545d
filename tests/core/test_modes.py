"""What each mode of training comes to, whatever happens on the way."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flink_ol.core.config import (
    Adam,
    Features,
    FmModel,
    Ftrl,
    Learning,
    LinearModel,
    MlpModel,
    Momentum,
    Sgd,
)
from flink_ol.core.learner import Learner
from flink_ol.core.ledger import Account, Tally
from flink_ol.core.loop import Loop
from flink_ol.core.samples import Samples, joined
from flink_ol.core.training import Async, Bounded, Exact, Local, Sync, Training
from tests.core.mode_job import ModeJob
from tests.core.simulation import samples

NONE = Features(scale="none")


def binary(optimizer: object = None, model: object = None, features: object = None) -> Learning:
    return Learning(
        task="binary",
        model=model or LinearModel(),  # type: ignore[arg-type]
        optimizer=optimizer or Sgd(learning_rate=0.1, intercept_learning_rate=None),  # type: ignore[arg-type]
        features=features or NONE,  # type: ignore[arg-type]
    )


def inputs(*counts: int) -> dict[int, Samples]:
    return {partition: samples(partition, 0, count) for partition, count in enumerate(counts)}


def run(
    job: ModeJob, seed: int = 0, window: int = 30, crashes: int = 0, late: bool = False
) -> ModeJob:
    """Feed everything in windows of random sizes, with crashes, checkpoints and late frames."""
    rng = np.random.default_rng(seed)
    crash_at = set(rng.choice(30, crashes, replace=False).tolist())
    for turn in itertools.count():
        if turn >= 30 and all(job.fed[p] == len(job.inputs[p]) for p in job.inputs):
            break
        partition = int(rng.integers(len(job.inputs)))
        job.feed(partition, int(rng.integers(1, window)))
        job.deliver(int(rng.integers(0, 4)) if late else 1_000)
        job.feed_back(int(rng.integers(len(job.machines))), int(rng.integers(0, 3)) if late else 99)
        job.wake(int(rng.integers(len(job.inputs))))
        job.tick(int(rng.integers(0, 5)))
        if turn in crash_at:
            job.crash()
        if rng.random() < 0.1:
            job.checkpoint()
    job.settle()
    return job


def whole(job: ModeJob) -> dict[int, Account]:
    """What the ledger must say when everything is in the model."""
    return {
        p: Account(
            Tally.of(np.array([o for o in range(len(s)) if (p, o) not in job.poison], np.int64)),
            Tally.of(np.array(sorted(o for q, o in job.poison if q == p), np.int64)),
        )
        for p, s in job.inputs.items()
    }


def descend(learner: Learner, rounds: list[Samples], rate: float) -> tuple[np.ndarray, float]:
    """The formula itself: plain gradient descent on the mean logistic loss of each round."""
    keys = np.array(sorted({int(key) for one in rounds for key in one.keys}))
    weights, intercept = np.zeros(len(keys)), 0.0
    for one in rounds:
        X = np.zeros((len(one), len(keys)))
        for row in range(len(one)):
            entries = slice(one.indptr[row], one.indptr[row + 1])
            X[row, np.searchsorted(keys, one.keys[entries])] = one.values[entries]
        error = 1 / (1 + np.exp(-(X @ weights + intercept))) - one.labels
        weights = weights - rate * X.T @ error / len(one)
        intercept = intercept - rate * error.sum() / len(one)
    return weights, intercept


def rounds_of(given: dict[int, Samples], size: int) -> list[Samples]:
    count = min(len(one) for one in given.values()) // size
    return [
        joined([one.rows(t * size, (t + 1) * size) for one in given.values()]) for t in range(count)
    ]


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_sync_is_gradient_descent_by_the_formula(workers: int) -> None:
    learner, given_ = Learner(binary()), inputs(160, 160, 160, 160)
    job = run(ModeJob(learner, Sync(workers=workers, round_samples=16), given_))
    weights, intercept = descend(learner, rounds_of(given_, 16), 0.1)
    assert job.state.pace.round == 10
    np.testing.assert_allclose(job.arrays()["weights"][:, 0], weights, rtol=1e-12)
    np.testing.assert_allclose(job.arrays()["intercept"], intercept, rtol=1e-12)


MODELS = {
    "linear": (LinearModel(l2=0.01), Sgd(learning_rate=0.1)),
    "momentum": (LinearModel(), Momentum(learning_rate=0.05)),
    "ftrl": (LinearModel(), Ftrl()),
    "fm": (FmModel(factors=2), Adam(learning_rate=0.01)),
    "mlp": (MlpModel(hidden=(4,), inputs=3), Adam(learning_rate=0.01)),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("scale", ["none", "standard"])
def test_sync_repeats_to_the_bit_whatever_happens(name: str, scale: str) -> None:
    model, optimizer = MODELS[name]
    learner = Learner(binary(optimizer, model, Features(scale=scale)))  # type: ignore[arg-type]
    found = []
    for seed, workers, crashes in [(1, 1, 0), (2, 2, 3), (3, 4, 5)]:
        training = Sync(workers=workers, round_samples=8, round_timeout_ms=None)
        job = ModeJob(learner, training, inputs(80, 80, 80), frozenset({(1, 3), (2, 79)}))
        found.append(run(job, seed, crashes=crashes, late=crashes > 0).arrays())
    for other in found[1:]:
        for key, array in found[0].items():
            assert np.array_equal(array, other[key]), key


def test_passes_over_a_bounded_input_are_batch_gradient_descent() -> None:
    learner, given_ = Learner(binary()), inputs(37, 50, 21)
    training = Sync(workers=2, round_samples=None, passes=7, round_timeout_ms=None)
    job = run(ModeJob(learner, training, given_), crashes=3, late=True)
    weights, intercept = descend(learner, [joined(list(given_.values()))] * 7, 0.1)
    np.testing.assert_allclose(job.arrays()["weights"][:, 0], weights, rtol=1e-12)
    np.testing.assert_allclose(job.arrays()["intercept"], intercept, rtol=1e-12)
    assert job.state.ledger == whole(job)  # each sample once, however often it was learned from
    assert (job.state.pace.round, job.state.pace.passes) == (7, 7)


def test_a_pass_may_take_several_rounds_of_shards_of_unequal_size() -> None:
    given_ = inputs(37, 50, 21)
    training = Sync(workers=2, round_samples=10, passes=3, round_timeout_ms=None)
    job = run(ModeJob(Learner(binary()), training, given_), crashes=2, late=True)
    assert (job.state.pace.round, job.state.pace.passes) == (3 * 5, 3)
    assert job.state.ledger == whole(job)
    assert job.arrays()["steps"][0] == 3 * (37 + 50 + 21)


def test_a_late_shard_joins_the_next_round() -> None:
    job = ModeJob(
        Learner(binary()), Sync(workers=2, round_samples=10, round_timeout_ms=100), inputs(40, 40)
    )
    job.feed(0, 20)
    job.deliver()
    job.settle()
    assert job.state.pace.round == 0  # the other shard is waited for
    job.tick(101)
    job.settle()
    assert job.state.pace.round == 2  # from then on it is not
    job.feed(1, 40)
    job.feed(0, 20)
    job.settle()
    assert job.ordered.idle == set()
    assert job.state.acknowledged == {0: 4, 1: 2}
    for _ in range(2):  # the first one has no more
        job.tick(101)
        job.settle()
    assert job.state.ledger == whole(job)


EVERY_MODE = [
    Local(),
    Sync(round_samples=4, passes=1, round_timeout_ms=None),
    Bounded(),
    Async(),
    Exact(),
]


@pytest.mark.parametrize("mode", EVERY_MODE)
@settings(max_examples=8)
@given(seed=st.integers(0, 10_000), workers=st.integers(1, 4), crashes=st.integers(0, 4))
def test_every_sample_counts_once_in_every_mode(
    mode: Training, seed: int, workers: int, crashes: int
) -> None:
    training = type(mode)(**{**mode.to_json(), "workers": workers})
    poison = frozenset({(0, 5), (1, 0), (1, 31)})
    job = run(
        ModeJob(Learner(binary()), training, inputs(32, 32, 32), poison),
        seed,
        crashes=crashes,
        late=True,
    )
    assert job.state.ledger == whole(job)
    assert job.dead_letters == set(poison)
    assert job.arrays()["steps"][0] == 3 * 32 - len(poison)


def test_bounded_lets_nobody_run_ahead() -> None:
    training = Bounded(workers=2, staleness=2, update_samples=1, idle_ms=1_000)
    job = ModeJob(Learner(binary()), training, inputs(40, 40))
    for partition in (0, 1):  # both enter
        job.feed(partition, 1)
        job.settle()
    job.feed(0, 30)
    job.settle()
    assert job.state.acknowledged == {0: 4, 1: 1}  # the slow shard's update, and two ahead
    job.tick(1_001)  # the slow one is idle now
    job.settle()
    assert job.state.acknowledged[0] == 31
    job.feed(1, 20)
    job.settle()
    assert job.state.acknowledged == {0: 31, 1: 5}  # it entered at the other's clock
    job.tick(1_001)
    job.settle()
    assert job.state.acknowledged == {0: 31, 1: 21}


def test_async_steps_once_per_update_on_what_the_worker_holds() -> None:
    learner, given_ = Learner(binary()), inputs(20)
    job = ModeJob(learner, Async(workers=1, update_samples=10), given_)
    job.feed(0, 20)  # both updates on version 0
    job.settle()
    state = learner.initial()
    first = learner.gradient(state, given_[0].rows(0, 10), float("nan"))[0]
    second = learner.gradient(state, given_[0].rows(10, 20), float("nan"))[0]
    learner.step(state, [first], 10.0, 1.0)
    learner.step(state, [second], 10.0, 1.0)
    np.testing.assert_array_equal(job.state.arrays.rows("weights"), state.rows("weights"))


@pytest.mark.parametrize("family", [LinearModel(), FmModel(factors=2)])
@pytest.mark.parametrize("scale", ["none", "standard"])
def test_exact_equals_one_process_to_the_bit(family: object, scale: str) -> None:
    learner = Learner(binary(model=family, features=Features(scale=scale)))  # type: ignore[arg-type]
    given_ = inputs(200)
    job = run(ModeJob(learner, Exact(workers=1), given_), crashes=3, late=True)
    plain = learner.initial()
    learner.learn(plain, given_[0], float("nan"), 1.0)
    for spec in plain.specs:
        np.testing.assert_array_equal(job.state.arrays.rows(spec.name), plain.rows(spec.name))
    loop = Loop(learner, "job", "hash", lambda: 0, Exact())
    loop.batch(0, given_[0].rows(0, 70))
    loop.batch(0, given_[0].rows(70, 200))
    arrays = loop.snapshot().frame.arrays
    for spec in plain.specs:
        np.testing.assert_array_equal(arrays[spec.name], plain.rows(spec.name))


ONE_PASS = Sync(round_samples=8, passes=1, round_timeout_ms=None)


@pytest.mark.parametrize("mode", [ONE_PASS, Bounded(), Async(), Exact()])
def test_a_sample_beyond_all_numbers_is_a_dead_letter(mode: Training) -> None:
    given_ = inputs(64, 64)
    given_[0].values[3 * 10] = 1e308
    given_[0].values[3 * 10 + 1] = -1e308
    job = run(ModeJob(Learner(binary(features=Features())), mode, given_))
    assert (0, 10) in job.dead_letters
    assert all(np.isfinite(array).all() for array in job.arrays().values())
    assert sum(a.learned.count + a.rejected.count for a in job.state.ledger.values()) == 128


@pytest.mark.parametrize("mode", [Local(), Bounded(), Exact()])
@pytest.mark.parametrize("scale", ["standard", "min_max"])
def test_a_huge_number_at_the_start_spoils_nothing_after_it(mode: Training, scale: str) -> None:
    given_ = inputs(64, 64)
    given_[0].values[1] = 1e300
    job = run(ModeJob(Learner(binary(features=Features(scale=scale))), mode, given_))  # type: ignore[arg-type]
    assert job.dead_letters == {(0, 0)}
    assert sum(account.learned.count for account in job.state.ledger.values()) == 127
