"""Prequential sums against metrics computed the long way, and adding up over any split."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
import sklearn.metrics

from flink_ol.core.config import Learning
from flink_ol.core.evaluation import Sums, add_sums, class_sums, metrics, value_sums

NAN = float("nan")
BINARY = Learning(task="binary")
MULTICLASS = Learning(task="multiclass", classes=5)
REGRESSION = Learning(task="regression")


def answers(settings: Learning, n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Predictions as Learner.predict gives them, and labels."""
    rng = np.random.default_rng(seed)
    if settings.task == "regression":
        labels = rng.normal(5.0, 2.0, size=n)
        return labels + rng.normal(size=n), labels
    probabilities = rng.dirichlet(np.ones(settings.class_count), size=n)
    # the last class is rare, and in small streams absent
    weights = np.arange(settings.class_count, 0, -1.0) ** 2
    return probabilities, rng.choice(
        settings.class_count, size=n, p=weights / weights.sum()
    ).astype(float)


def sums_of(settings: Learning, predictions: np.ndarray, labels: np.ndarray, pieces: int) -> Sums:
    judge = value_sums if settings.task == "regression" else class_sums
    baseline, previous, total = np.zeros(settings.class_count or 2), NAN, Sums()
    for part in np.array_split(np.arange(len(labels)), pieces):
        total = add_sums(total, judge(predictions[part], labels[part], previous, baseline))
        previous = float(labels[part[-1]])
    return total


def plain_baselines(labels: list[float], settings: Learning) -> dict[str, dict[str, float]]:
    """Accuracy of no-change, accuracy and log loss of majority, sample by sample."""
    seen: Counter[float] = Counter()
    right, loss, scored = {"no_change": 0, "majority": 0}, 0.0, 0
    for i, label in enumerate(labels):
        if i:
            scored += 1
            most = min(seen, key=lambda c: (-seen[c], c))
            right["no_change"] += labels[i - 1] == label
            right["majority"] += most == label
            frequency = (seen[label] + 1) / (seen.total() + settings.class_count)
            loss -= math.log(frequency)
        seen[label] += 1
    return {
        "no_change": {"accuracy": right["no_change"] / scored},
        "majority": {"accuracy": right["majority"] / scored, "log_loss": loss / scored},
    }


@pytest.mark.parametrize("settings", [BINARY, MULTICLASS], ids=lambda s: s.task)
def test_classification_equals_scikit_learn(settings: Learning) -> None:
    probabilities, labels = answers(settings, 500)
    found = metrics(sums_of(settings, probabilities, labels, 1), settings)
    chosen, truth = probabilities.argmax(axis=1), labels.astype(int)
    average = "binary" if settings.task == "binary" else "macro"
    one_hot = np.eye(settings.class_count)[truth]
    brier = ((probabilities - one_hot) ** 2).sum(axis=1).mean()
    expected = {
        "accuracy": sklearn.metrics.accuracy_score(truth, chosen),
        "balanced_accuracy": sklearn.metrics.balanced_accuracy_score(truth, chosen),
        "f1": sklearn.metrics.f1_score(truth, chosen, average=average),
        "f1_macro": sklearn.metrics.f1_score(truth, chosen, average="macro"),
        "f1_weighted": sklearn.metrics.f1_score(truth, chosen, average="weighted"),
        "kappa": sklearn.metrics.cohen_kappa_score(truth, chosen),
        "log_loss": sklearn.metrics.log_loss(
            truth, probabilities, labels=range(settings.class_count)
        ),
        "brier": brier / 2 if settings.task == "binary" else brier,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-12)
    assert found["scored"] == 500


@pytest.mark.parametrize("settings", [BINARY, MULTICLASS], ids=lambda s: s.task)
def test_class_baselines_equal_the_long_way(settings: Learning) -> None:
    probabilities, labels = answers(settings, 300, seed=1)
    found = metrics(sums_of(settings, probabilities, labels, 7), settings)["baselines"]
    for name, expected in plain_baselines(labels.tolist(), settings).items():
        assert {key: found[name][key] for key in expected} == pytest.approx(expected, rel=1e-12)


def test_regression_equals_scikit_learn() -> None:
    values, labels = answers(REGRESSION, 500)
    found = metrics(sums_of(REGRESSION, values, labels, 1), REGRESSION)
    assert found["mae"] == pytest.approx(sklearn.metrics.mean_absolute_error(labels, values))
    assert found["rmse"] == pytest.approx(sklearn.metrics.root_mean_squared_error(labels, values))
    assert found["r2"] == pytest.approx(sklearn.metrics.r2_score(labels, values))
    before = labels[1:] - labels[:-1]
    means = labels[1:] - np.cumsum(labels)[:-1] / np.arange(1, 500)
    for name, errors in (("no_change", before), ("running_mean", means)):
        assert found["baselines"][name]["mae"] == pytest.approx(np.abs(errors).mean())
        assert found["baselines"][name]["rmse"] == pytest.approx(math.sqrt((errors**2).mean()))


@pytest.mark.parametrize("settings", [BINARY, MULTICLASS, REGRESSION], ids=lambda s: s.task)
@pytest.mark.parametrize("pieces", [2, 13, 200])
def test_pieces_add_up_to_the_whole(settings: Learning, pieces: int) -> None:
    predictions, labels = answers(settings, 200, seed=2)
    whole = sums_of(settings, predictions, labels, 1)
    added = sums_of(settings, predictions, labels, pieces)
    assert whole.keys() == added.keys()
    for name, value in whole.items():
        np.testing.assert_allclose(added[name], value, rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("settings", [BINARY, MULTICLASS, REGRESSION], ids=lambda s: s.task)
def test_adding_sums_is_pure_and_takes_either_side_empty(settings: Learning) -> None:
    sums = sums_of(settings, *answers(settings, 20), 1)
    copies = {name: value.copy() for name, value in sums.items()}
    total = add_sums(add_sums({}, sums), sums)
    assert add_sums(sums, {}).keys() == total.keys()
    assert metrics(total, settings)["scored"] == 40
    assert all(np.array_equal(sums[name], copy) for name, copy in copies.items())
    for value in total.values():
        value[...] = 0
    assert all(np.array_equal(sums[name], copy) for name, copy in copies.items())


@pytest.mark.parametrize("settings", [BINARY, MULTICLASS, REGRESSION], ids=lambda s: s.task)
def test_what_is_not_defined_is_left_out(settings: Learning) -> None:
    empty: dict[str, Any] = metrics({}, settings)
    assert empty["scored"] == 0
    assert set(empty) == {"scored", "baselines"}
    predictions, labels = answers(settings, 1)
    one = metrics(sums_of(settings, predictions, labels, 1), settings)
    assert one["scored"] == 1
    assert not any(one["baselines"].values())
    assert "r2" not in one


def test_one_half_is_the_negative_answer_and_certainty_costs_no_infinity() -> None:
    probabilities = np.array([[0.5, 0.5], [1.0, 0.0]])
    found = metrics(sums_of(BINARY, probabilities, np.array([0.0, 1.0]), 1), BINARY)
    assert found["accuracy"] == 0.5
    assert found["log_loss"] == pytest.approx((math.log(2) - math.log(1e-15)) / 2)


def test_a_tie_between_majorities_goes_to_the_lowest_index() -> None:
    labels = np.array([1.0, 0.0, 0.0])
    sums = sums_of(BINARY, np.full((3, 2), 0.5), labels, 1)
    # after the second sample both are equally frequent, and the answer is 0
    assert sums["counts"][2, 1].tolist() == [1, 1]
