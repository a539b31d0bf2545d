"""A job that goes on by another specification: its model is the same, and new steps are new."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pytest
from pyflink.common import Row

from flink_ol.core.config import Features, Ftrl, Learning, Optimizer, Sgd
from flink_ol.core.learner import Learner
from flink_ol.core.loop import Loop
from flink_ol.core.state import State
from flink_ol.core.training import Async, Exact, Local, Sync, Training
from flink_ol.operators import sequencer, states, trainer
from flink_ol.wire.model_file import encode_snapshot
from tests.core.streams import samples_of
from tests.operators.job_in_memory import JobInMemory

COUNT = 90
NAMED = "f3"


def records() -> dict[int, list[tuple]]:
    rng = np.random.default_rng(4)
    found: list[tuple] = []
    for offset in range(COUNT):
        # each feature is met by one third of the stream
        x = {f"f{3 * j + offset * 3 // COUNT}": rng.normal() for j in range(4)}
        found.append((offset, orjson.dumps({"x": x, "y": int(rng.integers(2))})))
    return {0: found}


def learning(optimizer: Optimizer) -> Learning:
    return Learning(task="binary", features=Features(scale="none"), optimizer=optimizer)


class Jobs:
    """Makes jobs whose operators read the job's own clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._job: JobInMemory | None = None
        monkeypatch.setattr(sequencer, "time", self)
        monkeypatch.setattr(trainer, "time", self)

    def time_ns(self) -> int:
        return 0 if self._job is None else self._job.now_ms * 1_000_000

    monotonic_ns = time_ns

    def __call__(self, optimizer: Optimizer, training: Training) -> JobInMemory:
        self._job = JobInMemory(learning(optimizer), training, 1, records())
        return self._job


@pytest.fixture
def job_of(monkeypatch: pytest.MonkeyPatch) -> Jobs:
    return Jobs(monkeypatch)


def go_on(job: JobInMemory, optimizer: Optimizer) -> None:
    """Stop with a savepoint, and start by another specification."""
    job.checkpoint()
    job._learning = learning(optimizer)
    job.crash()


def arrays(job: JobInMemory) -> State:
    return job.model[0].function._state.arrays


def follows(job: JobInMemory, optimizer: Optimizer) -> None:
    """Whether all that follows from settings does."""
    found = [arrays(job)]
    if job._training.mode == "exact":
        found.append(job.sequencer.function._state.learned)
    for state in found:
        again = state.copy()
        Learner(learning(optimizer)).take_over(again)
        for spec in state.specs:
            assert np.array_equal(state.rows(spec.name), again.rows(spec.name)), spec.name


GRADIENTS = [Sync(workers=1, round_samples=10), Async(workers=1, update_samples=10)]


@pytest.mark.parametrize("training", GRADIENTS, ids=lambda training: training.mode)
@pytest.mark.parametrize("turns", [1, 3])
def test_steps_of_the_log_are_taken_by_the_settings_of_their_time(
    job_of: Jobs, training: Training, turns: int
) -> None:
    job = job_of(Sgd(learning_rate=0.5, intercept_learning_rate=None), training)
    for _ in range(turns):
        job.turn(20)
        job.tick(20)
    job.checkpoint()
    before = arrays(job).copy()
    go_on(job, Sgd(learning_rate=1e-15, intercept_learning_rate=None))
    job.turn(10)
    go_on(job, Sgd(learning_rate=1e-14, intercept_learning_rate=None))
    job.settle()
    after = arrays(job)
    assert after.arrays["steps"][0] == COUNT > before.arrays["steps"][0] > 0
    assert np.abs(before.rows("weights")).max() > 0.1
    found = after.rows("weights")[after.vocabulary.find(before.vocabulary.keys)]
    np.testing.assert_allclose(found, before.rows("weights"), atol=1e-9)


@pytest.mark.parametrize("training", [Local(workers=1), Async(workers=1), Exact(workers=1)])
def test_what_follows_from_settings_follows_from_those_that_hold(
    job_of: Jobs, training: Training
) -> None:
    job = job_of(Ftrl(alpha=0.5, l1=0.01), training)
    job.turn(30)  # features that never come again
    job.turn(30)
    go_on(job, changed := Ftrl(alpha=0.1, l1=0.2))
    job.turn(30)
    job.settle()
    follows(job, changed)


@pytest.mark.parametrize("training", [Local(workers=1), Async(workers=1), Exact(workers=1)])
def test_rates_of_single_features_are_those_of_the_specification(
    job_of: Jobs, training: Training
) -> None:
    job = job_of(Sgd(learning_rate=0.1, feature_learning_rates={NAMED: 0.2}), training)
    job.turn(30)
    job.turn(30)
    go_on(job, changed := Sgd(learning_rate=0.05, feature_learning_rates={NAMED: 0.2}))
    job.turn(30)
    job.settle()
    follows(job, changed)


@pytest.mark.parametrize("training", [Local(workers=1), Async(workers=1), Exact(workers=1)])
def test_a_feature_met_after_a_restart_has_the_rate_that_was_set(
    job_of: Jobs, training: Training
) -> None:
    last = "f2"  # of the last third alone
    job = job_of(Sgd(learning_rate=0.1, feature_learning_rates={last: 0.2}), training)
    job.turn(30)
    values: dict[str, Any] = {f"optimizer.feature_learning_rates.{last}": 0.01}
    command = orjson.dumps({"command": "set", "values": values})
    job._append(job.sequencer.element(Row(states.COMMAND, command), 0))
    job.turn(30)
    job.checkpoint()
    job.crash()
    job.turn(30)
    job.settle()
    follows(job, Sgd(learning_rate=0.1, feature_learning_rates={last: 0.01}))


def model_file(optimizer: Optimizer) -> bytes:
    """A model of other samples, with features of its own."""
    loop = Loop(Learner(learning(optimizer)), "other", "hash", lambda: 0)
    rows = [[(key, 1.0 + key, True)] for key in range(5)]
    loop.batch(0, samples_of(rows, [0.0, 1.0, 1.0, 0.0, 1.0]))
    return encode_snapshot(loop.snapshot(), {})


@pytest.mark.parametrize("begins", [True, False], ids=["from a model", "from nothing"])
@pytest.mark.parametrize("turns", [0, 1])
def test_what_a_job_began_with_is_what_counts_whatever_the_next_submission_says(
    job_of: Jobs, begins: bool, turns: int
) -> None:
    optimizer = Sgd(learning_rate=0.1)
    file = model_file(optimizer)
    job = job_of(optimizer, Exact(workers=1))
    job._start = file if begins else None
    job.crash()
    job.command()  # so that there is something to restore, be it without a sample
    for _ in range(turns):
        job.turn(20)
    job.checkpoint()
    job._start = None if begins else file
    job.crash()
    job.settle()
    model, learned = arrays(job), job.sequencer.function._state.learned
    assert set(range(5)) <= set(model.vocabulary.keys.tolist()) or not begins
    assert np.array_equal(model.vocabulary.keys, learned.vocabulary.keys)
    for spec in model.specs:
        assert np.array_equal(model.rows(spec.name), learned.rows(spec.name)), spec.name
