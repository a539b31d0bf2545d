"""Rounds over a bounded input with processes killed in the middle, against the formula in numpy."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
import pytest

from flink_ol.core.messages import Snapshot
from flink_ol.local.stack import Stack
from flink_ol.wire.metrics import decode_metrics
from tests.recovery.faults import assert_all_there, kill_python_worker
from tests.recovery.watching import Watch
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


def regression(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The classical 10 numbers with a noisy linear rule: X (samples, 10) and y (samples,)."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(SAMPLES, 10))
    return X, X @ np.arange(1.0, 11.0) + 2.0 + rng.normal(size=SAMPLES)


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
    X, y = regression(17)
    rows = zip(X.tolist(), y.tolist(), strict=True)
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
    job.feed([orjson.dumps({"x": row, "y": label}) for row, label in rows])
    job.submit()
    with Watch(job) as watch:
        first = await_round(watch, 2)
        stack.kill_task_manager()
        stack.add_task_manager()
        between = await_life_after(watch, first)
        kill_python_worker(stack)
        last = await_life_after(watch, between)
        snapshot = await_round(watch, ROUNDS)
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


def weights_of(snapshot: Snapshot) -> np.ndarray:
    """The weights of features "0" to "9", (10,) float64."""
    keys = {name: key for key, name in snapshot.names.items()}
    places = {int(key): place for place, key in enumerate(snapshot.frame.keys)}
    weights = snapshot.frame.arrays["weights"]
    return np.array([weights[places[keys[str(feature)]], 0] for feature in range(10)])


def losses_told(job: RunningJob) -> Sequence[tuple[int, float]]:
    """(round, loss) as often as they stand on the metrics topic, which may repeat them."""
    told: list[dict[str, Any]] = [decode_metrics(record.value) for record in job.read("metrics")]
    rounds = [one["round"] for one in told if "rmse" in one.get("round", {})]
    return [(one["number"], one["rmse"]) for one in rounds]


def await_round(watch: Watch, number: int) -> Snapshot:
    """The first snapshot seen that has so many rounds in it."""
    return _await(watch, lambda snapshot: snapshot.frame.pace.round >= number)


def await_life_after(watch: Watch, earlier: Snapshot) -> Snapshot:
    """The first snapshot seen after the job has been restarted since ``earlier``."""
    epoch = earlier.frame.version.epoch
    return _await(watch, lambda snapshot: snapshot.frame.version.epoch > epoch)


def _await(watch: Watch, reached: Callable[[Snapshot], bool]) -> Snapshot:
    deadline = time.monotonic() + DEADLINE_S
    while True:
        snapshot = watch.newest
        if snapshot is not None and reached(snapshot):
            return snapshot
        seen = None if snapshot is None else (snapshot.frame.version, snapshot.frame.pace)
        assert time.monotonic() < deadline, f"{seen} after {DEADLINE_S:.0f} s"
        time.sleep(0.05)
