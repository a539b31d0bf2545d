"""Rounds over a bounded input with processes killed in the middle, against the formula in numpy."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from flink_ol.local.stack import Stack
from tests.recovery.faults import assert_all_there, kill_python_worker
from tests.recovery.watching import Watch
from tests.regression import losses_told, regression, weights_of
from tests.running_job import RunningJob

pytestmark = [pytest.mark.recovery, pytest.mark.battery]

PARTITIONS, SAMPLES, ROUND, PASSES = 4, 10_000, 500, 60
ROUNDS = PASSES * SAMPLES // PARTITIONS // ROUND
# The model still moves by a thousandth in the last round: one that is lost or taken twice shows.
RATE = 0.004
DEADLINE_S = 150.0


class Plain(NamedTuple):
    """The formula's result."""

    weights: np.ndarray  # (10,) float64
    intercept: float
    losses: list[float]  # root mean squared error of each round's samples, before its step


def in_one_process(X: np.ndarray, y: np.ndarray) -> Plain:
    """θ − η · mean of the gradients of the squared error (2 · error · x), round after round.

    A round takes the next samples of every partition; records went to the partitions in turn.
    """
    weights, intercept, losses = np.zeros(10), 0.0, []
    for number in range(ROUNDS):
        first = number * ROUND * PARTITIONS % SAMPLES
        rows = slice(first, first + ROUND * PARTITIONS)
        error = X[rows] @ weights + intercept - y[rows]
        losses.append(float(np.sqrt(np.mean(error**2))))
        weights = weights - RATE * 2 * X[rows].T @ error / len(error)
        intercept = intercept - RATE * 2 * float(error.mean())
    return Plain(weights, intercept, losses)


def test_rounds_with_kills_equal_the_formula(stack: Stack, tmp_path: Path, job_name: str) -> None:
    X, y, records = regression(17, SAMPLES)
    rounds = {"round_samples": ROUND, "round_timeout_ms": None, "passes": PASSES}
    job = RunningJob(
        stack,
        tmp_path,
        job_name,
        samples={"partitions": PARTITIONS},
        task="regression",
        features={"scale": "none"},
        optimizer={"name": "sgd", "learning_rate": RATE, "intercept_learning_rate": None},
        training={"mode": "sync", "workers": PARTITIONS, **rounds},
        snapshots={"interval_ms": 100},
        metrics={"interval_ms": 1},
    )
    job.feed(records)
    job.submit()
    with Watch(job) as watch:
        first = watch.await_snapshot(lambda seen: seen.frame.pace.round >= 2, DEADLINE_S)
        stack.kill_task_manager()
        stack.add_task_manager()
        between = watch.await_life(first.frame.version.epoch + 1, DEADLINE_S)
        kill_python_worker(stack)
        last = watch.await_life(between.frame.version.epoch + 1, DEADLINE_S)
        snapshot = watch.await_snapshot(lambda seen: seen.frame.pace.round >= ROUNDS, DEADLINE_S)
    # both kills were in the middle, and the rounds went on from there
    assert 0 < between.frame.pace.round < last.frame.pace.round < ROUNDS
    assert snapshot.frame.pace == last.frame.pace._replace(round=ROUNDS, passes=PASSES)
    watch.assert_rising()
    assert_all_there(job, snapshot)
    plain = in_one_process(X, y)
    np.testing.assert_allclose(weights_of(snapshot), plain.weights, rtol=1e-12)
    np.testing.assert_allclose(snapshot.frame.arrays["intercept"][0], plain.intercept, rtol=1e-12)
    told = losses_told(job)
    # what a life told before it was rolled back was true, too
    assert {number for number, _ in told} == set(range(1, ROUNDS + 1))
    expected = [plain.losses[number - 1] for number, _ in told]
    np.testing.assert_allclose([loss for _, loss in told], expected, rtol=1e-9)
