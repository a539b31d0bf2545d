"""Slices against the same metrics of each value's samples alone."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import sklearn.metrics

from flink_ol.core.config import Learning
from flink_ol.core.evaluation import Evaluation, Judge, Sums, add_sums, metrics
from flink_ol.core.evaluation.slices import most_values
from flink_ol.core.features.hashing import feature_key
from flink_ol.core.samples import Samples

NAN = float("nan")
BINARY = Learning(task="binary")
MULTICLASS = Learning(task="multiclass", classes=4)
REGRESSION = Learning(task="regression")
BY_CITY = Evaluation(slices=("city",))


def samples_of(cities: list[str | None], labels: np.ndarray) -> Samples:
    """A number, another category and, unless None, the city of each sample."""
    rows = [["size", "cityscape=flat", *([] if c is None else [f"city={c}"])] for c in cities]
    names = {feature_key(name): name for name in itertools.chain(*rows)}
    return Samples(
        np.cumsum([0, *map(len, rows)]).astype(np.int64),
        np.array([feature_key(name) for row in rows for name in row], np.int64),
        np.ones(sum(map(len, rows))),
        np.array([name == "size" for row in rows for name in row]),
        labels,
        np.ones(len(rows)),
        np.arange(len(rows)),
        names,
    )


def stream(settings: Learning, n: int, values: int) -> tuple[np.ndarray, np.ndarray, list[Any]]:
    rng = np.random.default_rng(9)
    cities = [None if i == 0 else f"c{i}/ü" for i in rng.integers(0, values + 1, n)]
    if settings.task == "regression":
        labels = rng.normal(size=n)
        return labels + rng.normal(size=n), labels, cities
    labels = rng.integers(0, settings.class_count, n).astype(float)
    return rng.dirichlet(np.ones(settings.class_count), n), labels, cities


def sums_of(settings: Learning, n: int, values: int, pieces: int) -> Sums:
    answers, labels, cities = stream(settings, n, values)
    judge, baseline, previous = Judge(settings, BY_CITY), np.zeros(settings.class_count or 2), NAN
    total: Sums = {}
    for part in np.array_split(np.arange(n), pieces):
        batch = samples_of([cities[i] for i in part], labels[part])
        total = add_sums(total, judge.sums(answers[part], batch, previous, baseline))
        previous = float(labels[part[-1]])
    return total


@pytest.mark.parametrize("settings", [BINARY, MULTICLASS, REGRESSION], ids=lambda s: s.task)
def test_each_value_is_evaluated_by_its_samples_alone(settings: Learning) -> None:
    answers, labels, cities = stream(settings, 400, 5)
    told = metrics(sums_of(settings, 400, 5, 9), settings)["slices"]["city"]
    assert set(told["values"]) == {f"c{i}/ü" for i in range(1, 6)}
    assert "other" not in told
    for city, found in [*told["values"].items(), (None, told["absent"])]:
        own = np.array([each == city for each in cities])
        assert found["scored"] == own.sum()
        if settings.task == "regression":
            assert found["mae"] == pytest.approx(np.abs(answers - labels)[own].mean())
            assert found["r2"] == pytest.approx(sklearn.metrics.r2_score(labels[own], answers[own]))
        else:
            chosen = answers[own].argmax(axis=1)
            expected = sklearn.metrics.balanced_accuracy_score(labels[own], chosen)
            assert found["balanced_accuracy"] == pytest.approx(expected)
            loss = sklearn.metrics.log_loss(
                labels[own], answers[own], labels=range(settings.class_count)
            )
            assert found["log_loss"] == pytest.approx(loss)


@pytest.mark.parametrize("settings", [BINARY, MULTICLASS, REGRESSION], ids=lambda s: s.task)
def test_slices_leave_the_whole_as_it_is(settings: Learning) -> None:
    answers, labels, cities = stream(settings, 200, 5)
    plain, sliced = np.zeros(settings.class_count or 2), np.zeros(settings.class_count or 2)
    batch = samples_of(cities, labels)
    without = Judge(settings, Evaluation()).sums(answers, batch, 1.0, plain)
    found = Judge(settings, BY_CITY).sums(answers, batch, 1.0, sliced)
    assert np.array_equal(plain, sliced)
    assert all(np.array_equal(value, found[name]) for name, value in without.items())


@pytest.mark.parametrize("settings", [BINARY, MULTICLASS, REGRESSION], ids=lambda s: s.task)
@pytest.mark.parametrize("pieces", [1, 2, 40])
def test_more_values_than_are_kept_are_counted_as_other(settings: Learning, pieces: int) -> None:
    total = sums_of(settings, 3_000, 250, pieces)
    told = metrics(total, settings)
    slices = told["slices"]["city"]
    assert len(slices["values"]) == 100
    parts = [*slices["values"].values(), slices["other"], slices["absent"]]
    assert sum(part["scored"] for part in parts) == told["scored"] == 3_000
    name = "mae" if settings.task == "regression" else "accuracy"
    whole = sum(part["scored"] * part[name] for part in parts)
    assert whole / 3_000 == pytest.approx(told[name])


def test_a_value_too_long_to_be_told_is_counted_as_other() -> None:
    batch = samples_of(["a" * 100, "a" * 101, "b" * 900_000, "b"], np.array([0.0, 1.0, 1.0, 0.0]))
    answers = np.tile([0.7, 0.3], (4, 1))
    sums = Judge(BINARY, BY_CITY).sums(answers, batch, NAN, np.zeros(2))
    told = metrics(sums, BINARY)["slices"]["city"]
    assert list(told["values"]) == ["a" * 100, "b"]
    assert told["other"]["scored"] == 2


def test_many_classes_leave_room_for_fewer_values() -> None:
    assert [most_values(classes) for classes in (0, 2, 100, 1_000, 100_000)] == [
        100,
        100,
        100,
        10,
        1,
    ]


@pytest.mark.parametrize("settings", [BINARY, MULTICLASS, REGRESSION], ids=lambda s: s.task)
def test_slices_of_shards_add_up_to_those_of_the_whole(settings: Learning) -> None:
    """In any order of the shards, as long as every value has a row."""
    answers, labels, cities = stream(settings, 120, 5)
    judge, pieces = Judge(settings, BY_CITY), []
    for part in np.array_split(np.arange(120), 4):
        batch = samples_of([cities[i] for i in part], labels[part])
        pieces.append(judge.sums(answers[part], batch, NAN, np.zeros(settings.class_count or 2)))
    found = []
    for order in itertools.permutations(pieces):
        total: Sums = {}
        for piece in order:
            total = add_sums(total, piece)
        found.append(metrics(total, settings)["slices"]["city"])
    for each in found[1:]:
        assert set(each["values"]) == set(found[0]["values"])
        for value, told in each["values"].items():
            for name, figure in found[0]["values"][value].items():
                if isinstance(figure, float):
                    assert told[name] == pytest.approx(figure, rel=1e-9), name


def test_a_field_that_never_comes_is_absent_everywhere() -> None:
    batch = samples_of([None] * 5, np.ones(5))
    judge = Judge(BINARY, BY_CITY)
    sums = judge.sums(np.full((5, 2), 0.5), batch, NAN, np.zeros(2))
    told = metrics(sums, BINARY)["slices"]["city"]
    assert told["values"] == {}
    assert told["absent"]["scored"] == 5
