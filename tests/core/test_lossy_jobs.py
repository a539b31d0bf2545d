"""Jobs that leave out part of what they learned: the ledger is exact, and the loss is near."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from flink_ol.core.config import AdaGrad, Features, Learning, LinearModel, Sgd
from flink_ol.core.learner import Learner
from flink_ol.core.lossy import Compression
from flink_ol.core.samples import Samples
from flink_ol.core.training import Async, Bounded, Local, Sync, Training
from tests.core.mode_job import ModeJob
from tests.core.test_modes import binary, inputs, run, whole

HARD = Compression(numbers="int8", top=0.3)
INPUTS = inputs(208, 160, 96)  # whole rounds
MODES: dict[str, Training] = {
    "local": Local(workers=2, compression=HARD),
    "sync": Sync(workers=2, round_samples=8, round_timeout_ms=20, compression=HARD),
    "bounded": Bounded(workers=2, update_samples=8, staleness=1, idle_ms=50, compression=HARD),
    "async": Async(workers=2, update_samples=8, compression=HARD),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("optimizer", [Sgd(learning_rate=0.1), AdaGrad(learning_rate=0.1)])
def test_the_ledger_counts_every_sample_once_whatever_is_kept_back(
    mode: str, optimizer: Any
) -> None:
    for seed in range(4):
        job = run(ModeJob(Learner(binary(optimizer)), MODES[mode], INPUTS), seed, 30, 4, True)
        for _ in range(60):  # idle partitions are given up, and rounds closed without them
            job.tick(100)
            job.settle()
        assert job.state.ledger == whole(job)
        model = job.arrays()
        for state in job.states:
            if state.greeted:
                replica = state.replica
                assert not state.pending
                order = replica.vocabulary.keys.argsort()
                assert replica.rows("weights")[order].tobytes() == model["weights"].tobytes()
                assert replica.rows("steps") == model["steps"]


FEATURES, LOUD = 60, 6
TRUTH = np.random.default_rng(7).normal(0, 0.4, FEATURES) * (np.arange(FEATURES) >= LOUD)


def stream(partition: int, count: int) -> Samples:
    """Samples of 60 features, six of which are large and say nothing."""
    rng = np.random.default_rng((3, partition))
    values = rng.normal(size=(count, FEATURES))
    labels = (rng.random(count) < 1 / (1 + np.exp(-(values @ TRUTH)))).astype(np.float64)
    values[:, :LOUD] *= 4.0
    return Samples(
        np.arange(count + 1, dtype=np.int64) * FEATURES,
        np.tile(np.arange(FEATURES, dtype=np.int64), count),
        values.ravel(),
        np.ones(count * FEATURES, bool),
        labels,
        np.ones(count),
        np.arange(count, dtype=np.int64),
        {},
    )


def loss(training: Any, rate: float, feedback: bool = True) -> float:
    """Of the final model, on samples that it has not met."""
    learning = Learning(
        task="binary",
        model=LinearModel(),
        features=Features(scale="none"),
        optimizer=Sgd(learning_rate=rate, intercept_learning_rate=0.0),
    )
    job = ModeJob(Learner(learning), training, {p: stream(p, 4_000) for p in range(2)})
    for _ in range(200):
        for partition in range(2):
            job.feed(partition, 20)
            if not feedback:
                for state in job.states:
                    state.residuals.clear()
        job.settle()
    weights = job.arrays()["weights"][:, 0]
    held_out = stream(9, 4_000)
    scores = held_out.values.reshape(-1, FEATURES) @ weights
    return float(np.mean(np.logaddexp(0, scores) - held_out.labels * scores))


@pytest.mark.parametrize(("mode", "rate"), [(Local, 0.001), (Async, 0.02)])
def test_a_tenth_of_the_rows_with_feedback_learns_nearly_as_much(mode: Any, rate: float) -> None:
    tenth = Compression(top=0.1)
    full = loss(mode(workers=2), rate)
    with_feedback = loss(mode(workers=2, compression=tenth), rate)
    without = loss(mode(workers=2, compression=tenth), rate, feedback=False)
    assert with_feedback < full + 0.01
    assert without > full + 0.1
