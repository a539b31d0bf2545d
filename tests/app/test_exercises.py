"""The newcomers' exercises: their specifications hold, their streams repeat, and all is learned."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import orjson
import pytest

from flink_ol.app import replay
from flink_ol.client import Model
from flink_ol.core.config import Sgd
from flink_ol.job.spec import Spec
from flink_ol.wire.model_file import encode_snapshot
from jobs.exercises.held_out import judge
from jobs.exercises.streams import EXERCISES, IRIS_PASSES, NOISE, linear_weights

FOLDER = Path(__file__).parents[2] / "jobs" / "exercises"

each = pytest.mark.parametrize("name", EXERCISES)


def learned(name: str) -> Model:
    records = [orjson.dumps(sample) for sample in EXERCISES[name]().training]
    replayed = replay.run(Spec.load(FOLDER / f"{name}.yaml"), [records])
    assert (replayed.samples, replayed.dead_letters) == (len(records), 0)
    return Model.from_bytes(encode_snapshot(replayed.snapshot, replayed.metrics))


@each
def test_every_exercise_has_a_specification_without_surprises(name: str) -> None:
    assert Spec.load(FOLDER / f"{name}.yaml").warnings == []
    assert {path.stem for path in FOLDER.glob("*.yaml")} == EXERCISES.keys()


@each
def test_a_stream_is_the_same_every_time(name: str) -> None:
    first, second = EXERCISES[name](), EXERCISES[name]()
    assert list(islice(first.training, 1_500)) == list(islice(second.training, 1_500))
    assert first.held_out == second.held_out


@pytest.mark.parametrize("name", ["linear_1000x100", "linear_10000x1000", "four_workers"])
def test_a_line_is_found_as_closely_as_least_mean_squares_can(name: str) -> None:
    model, spec = learned(name), Spec.load(FOLDER / f"{name}.yaml")
    truth = linear_weights(len(model.weights))
    assert isinstance(spec.optimizer, Sgd)
    expected = expected_error(truth, spec.optimizer.learning_rate, model.metrics["scored"])
    exercise = EXERCISES[name]()
    # the formula is of the mean over many streams; this is one
    assert judge(model, exercise.held_out)["rmse"] == pytest.approx(expected, rel=0.2)
    found = np.array([model.weights[str(i)] for i in range(len(truth))])
    assert float(np.abs(found - truth).max()) < NOISE
    assert isinstance(model.intercept, float)
    assert abs(model.intercept - 3.0) < NOISE


def expected_error(truth: np.ndarray, learning_rate: float, samples: int) -> float:
    """Root mean squared error of least mean squares on standard normal features.

    Noise, what constant steps make of it, and what is left of the start; Feuer, Weinstein 1985.
    """
    n, step = len(truth) + 1, 2 * learning_rate  # the intercept is one more dimension
    of_steps = NOISE**2 * step * n / (2 - step * (n + 2))
    of_start = (float(truth @ truth) + 3.0**2) * (1 - 2 * step + step**2 * (n + 2)) ** samples
    return float(np.sqrt(NOISE**2 + of_steps + of_start))


def test_iris_is_told_apart_and_none_held_out_is_learned() -> None:
    iris = EXERCISES["iris"]()
    training = list(iris.training)
    assert len(training) == 120 * IRIS_PASSES
    assert len(iris.held_out) == 30
    # one flower occurs twice in the data: equal measures may be on both sides, flowers may not
    assert sum(sample in training for sample in iris.held_out) <= 1
    assert judge(learned("iris"), iris.held_out)["accuracy"] >= 0.9
