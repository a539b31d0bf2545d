"""Every mode of training on a real broker and a real cluster."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flink_ol.core.learner import Learner
from flink_ol.core.loop import Loop
from flink_ol.core.messages import Snapshot
from flink_ol.core.samples import Rejection, Samples
from flink_ol.core.state import State
from flink_ol.local.stack import Stack
from flink_ol.wire.formats import sample_format
from tests.regression import losses_told, regression, weights_of
from tests.running_job import RunningJob, json_records, ledger_of, submit_together

RATE = 0.15


def test_passes_with_four_workers_print_the_losses_of_numpy(
    stack: Stack, tmp_path: Path, job_name: str
) -> None:
    passes = 20
    X, y, records = regression(7, 10_000)
    job = RunningJob(
        stack,
        tmp_path,
        job_name,
        samples={"partitions": 4},
        task="regression",
        features={"scale": "none"},
        optimizer={"name": "sgd", "learning_rate": RATE, "intercept_learning_rate": None},
        training={"mode": "sync", "workers": 4, "passes": passes, "round_samples": None},
        metrics={"interval_ms": 1},
    )
    job.feed(records)
    job.submit()
    snapshot = await_round(job, passes)
    assert ledger_of(snapshot) == job.expected_ledger()

    weights, intercept, losses = np.zeros(10), 0.0, []
    for _ in range(passes):
        error = X @ weights + intercept - y
        losses.append(np.sqrt(np.mean(error**2)))
        # the gradient of the squared error is twice the error
        weights = weights - RATE * 2 * X.T @ error / len(y)
        intercept = intercept - RATE * 2 * error.mean()
    rounds = dict(losses_told(job))
    np.testing.assert_allclose([rounds[i + 1] for i in range(passes)], losses, rtol=1e-9)
    np.testing.assert_allclose(weights_of(snapshot), weights, rtol=1e-12)
    np.testing.assert_allclose(snapshot.frame.arrays["intercept"][0], intercept, rtol=1e-12)


MODES: list[dict[str, Any]] = [
    {"mode": "sync", "round_samples": 200},
    {"mode": "bounded", "staleness": 2},
    {"mode": "async"},
    {"mode": "exact"},
]


def test_every_mode_learns_every_sample_once(stack: Stack, tmp_path: Path, job_name: str) -> None:
    records = list(json_records(3, 12_000))
    poison = [0, 4_000, 11_990]
    for place in poison:
        records[place] = b'{"x": [1, '
    jobs = []
    for mode in MODES:
        job = RunningJob(
            stack,
            tmp_path,
            f"{job_name}-{mode['mode']}",
            samples={"partitions": 2},
            optimizer={"name": "adagrad", "learning_rate": 0.1},
            training={"workers": 1, **mode},
        )
        job.submit()
        jobs.append(job)
    # in parts, so that async has statistics and weights to take gradients at
    for end in range(3_000, len(records), 3_000):
        for job in jobs:
            job.feed(records[end - 3_000 : end])
        for job in jobs:
            job.await_samples(end - 400 if job.spec.training.mode == "sync" else end)
    for job in jobs:
        job.feed(records[-3_000:])
    for job in jobs:
        name = str(job.spec.training.mode)
        # the last samples of a partition wait for a whole round
        snapshot = job.await_samples(11_600 if name == "sync" else len(records))
        if name != "sync":
            assert ledger_of(snapshot) == job.expected_ledger(), name
        assert [(letter.partition, letter.offset) for letter in job.dead_letters()] == [
            (place % 2, place // 2) for place in sorted(poison, key=lambda place: place % 2)
        ]
        # of the model, not of the predictions before: how far weights lag behind depends on time
        assert accuracy(job, snapshot, records) > 0.75, name
        assert job.restarts() == 0, name


def accuracy(job: RunningJob, snapshot: Snapshot, records: list[bytes]) -> float:
    """The share of ``records`` whose label the model of ``snapshot`` gives."""
    learner = Learner(job.spec.learning)
    samples, _ = decoded(job, records)
    state = State.of(learner.specs, snapshot.frame.keys, snapshot.frame.arrays)
    answers = learner.predict(learner.scores(state, samples)).argmax(axis=1)
    return float(np.mean(answers == samples.labels))


def decoded(job: RunningJob, records: Sequence[bytes]) -> tuple[Samples, list[Rejection]]:
    decoder = sample_format(job.spec.samples.format, job.spec.samples.fields, job.spec.learning)
    return decoder.decode(records, np.arange(len(records)))


def test_exact_equals_replay_to_the_bit(stack: Stack, tmp_path: Path, job_name: str) -> None:
    job = RunningJob(
        stack,
        tmp_path,
        job_name,
        samples={"partitions": 1},
        training={"mode": "exact", "workers": 2},
    )
    records = json_records(5, 20_000)
    job.submit()
    job.feed(records)
    snapshot = job.await_samples(len(records))
    samples, _ = decoded(job, records)
    loop = Loop(Learner(job.spec.learning), "x", "y", lambda: 0, job.spec.training)
    loop.batch(0, samples)
    plain = loop.snapshot().frame
    assert np.array_equal(plain.keys, snapshot.frame.keys)
    for name, array in plain.arrays.items():
        assert np.array_equal(array, snapshot.frame.arrays[name]), name


def await_round(job: RunningJob, number: int, timeout_s: float = 120) -> Snapshot:
    """The first snapshot seen that has so many rounds in it."""
    deadline = time.monotonic() + timeout_s
    while True:
        snapshot = job.newest_snapshot()
        if snapshot is not None and snapshot.frame.pace.round >= number:
            return snapshot
        done = None if snapshot is None else snapshot.frame.pace
        assert time.monotonic() < deadline, f"{done} after {timeout_s} s, {number} rounds were due"
        time.sleep(0.5)


@pytest.mark.recovery
def test_a_source_far_faster_than_rounds_is_slowed_down_and_loses_nothing_in_a_kill(
    stack: Stack, tmp_path: Path, job_name: str
) -> None:
    records = json_records(8, 60_000)  # there before the job is, and read in a fraction of a second
    jobs = [
        RunningJob(
            stack,
            tmp_path,
            f"{job_name}-{training['mode']}",
            samples={"partitions": 2},
            training={"workers": 1, "waiting_samples": 20_000, **training},
        )
        for training in (
            {"mode": "sync", "round_samples": 500},
            {"mode": "bounded", "update_samples": 500, "staleness": 1},
        )
    ]
    for job in jobs:
        job.feed(records)
    submit_together(jobs)
    for job in jobs:
        job.await_samples(10_000)
    assert [job.restarts() for job in jobs] == [0, 0]
    stack.kill_task_manager()
    stack.add_task_manager()
    for job in jobs:
        assert ledger_of(job.await_samples(len(records))) == job.expected_ledger()
        # a kill may take more than one restart, but none of them is of a room that was full
        assert job.failures()
        assert not any("wait for their turn" in trace for trace in job.failures())


@pytest.mark.recovery
def test_sync_repeats_to_the_bit_through_a_kill(
    stack: Stack, tmp_path: Path, job_name: str
) -> None:
    found = []
    for kills in (0, 1):
        job = RunningJob(
            stack,
            tmp_path,
            f"{job_name}-{kills}",
            samples={"partitions": 2},
            training={"mode": "sync", "workers": 2, "round_samples": 50, "round_timeout_ms": None},
        )
        records = json_records(6, 8_000)
        job.submit()
        job.feed(records[:2_000])
        job.await_samples(2_000)
        if kills:
            stack.kill_task_manager()
            stack.add_task_manager()
        job.feed(records[2_000:])
        snapshot = job.await_samples(len(records))
        assert ledger_of(snapshot) == job.expected_ledger()
        assert job.restarts() >= kills
        found.append(snapshot.frame)
    order = [frame.keys.argsort() for frame in found]
    for name in ("weights", "scaler"):
        one, other = (frame.arrays[name][o] for frame, o in zip(found, order, strict=True))
        assert np.array_equal(one, other), name
