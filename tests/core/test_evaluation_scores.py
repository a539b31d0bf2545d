"""What judges the scores themselves: ranking, calibration, and the losses' own measures."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import sklearn.calibration
import sklearn.metrics

from flink_ol.core.config import Learning
from flink_ol.core.evaluation import Sums, add_sums, class_sums, metrics, value_sums
from flink_ol.core.evaluation.judge import deviance_of
from flink_ol.core.evaluation.ranking import BINS, bin_of, roc_auc
from flink_ol.core.evaluation.value_metrics import value_metrics
from flink_ol.core.evaluation.value_sums import Deviance
from flink_ol.core.losses.poisson import Poisson
from flink_ol.core.losses.quantile import Quantile

NAN = float("nan")
BINARY = Learning(task="binary")


def binary_sums(positive: np.ndarray, labels: np.ndarray, previous: float = NAN) -> Sums:
    probabilities = np.stack([1.0 - positive, positive], axis=1)
    return class_sums(probabilities, labels, previous, np.zeros(2))


def logistic(logits: np.ndarray) -> np.ndarray:
    return np.asarray(1.0 / (1.0 + np.exp(-logits)))


SPREADS = {"usual": (-1.0, 1.5), "narrow": (-1.4, 0.3), "rare": (-7.0, 1.0), "wild": (0.0, 15.0)}


@pytest.mark.parametrize("name", SPREADS)
def test_roc_auc_equals_scikit_learn_within_the_bound_it_states(name: str) -> None:
    rng = np.random.default_rng(3)
    centre, spread = SPREADS[name]
    logits = rng.normal(centre, spread, 20_000)
    labels = (rng.random(20_000) < logistic(0.7 * logits + 0.5)).astype(float)
    found = metrics(binary_sums(logistic(logits), labels), BINARY)
    exact = sklearn.metrics.roc_auc_score(labels, logistic(logits))
    assert abs(found["roc_auc"] - exact) <= found["roc_auc_within"] + 1e-12
    assert found["roc_auc_within"] < 0.02
    assert found["roc_auc"] == pytest.approx(exact, abs=1e-3)


def test_equal_scores_count_one_half_exactly() -> None:
    rng = np.random.default_rng(5)
    positive = rng.choice([0.01, 0.2, 0.5, 0.8, 0.99], 500)
    labels = rng.integers(0, 2, 500).astype(float)
    found = metrics(binary_sums(positive, labels), BINARY)
    exact = sklearn.metrics.roc_auc_score(labels, positive)
    assert found["roc_auc"] == pytest.approx(exact, rel=1e-12)


def test_a_higher_score_never_has_a_lower_bin() -> None:
    logits = np.concatenate([[-1e300, -40.0], np.linspace(-35, 35, 100_000), [40.0, 1e300]])
    bins = [bin_of(logit) for logit in logits]
    assert bins == sorted(bins)
    assert (bins[0], bins[-1]) == (0, BINS - 1)
    assert len(set(bins)) == BINS


def test_one_class_has_no_roc_auc() -> None:
    assert roc_auc(np.zeros((2, BINS))) is None
    found = metrics(binary_sums(np.array([0.1, 0.9]), np.ones(2)), BINARY)
    assert "roc_auc" not in found
    assert found["balanced_accuracy"] == 0.5


def test_kappa_is_left_out_where_chance_is_always_right() -> None:
    assert "kappa" not in metrics(binary_sums(np.full(3, 0.9), np.ones(3)), BINARY)


def test_the_calibration_table_equals_scikit_learn() -> None:
    rng = np.random.default_rng(6)
    positive = rng.beta(2, 5, 3_000)
    labels = (rng.random(3_000) < positive**1.3).astype(float)
    found = metrics(binary_sums(positive, labels), BINARY)
    table = found["calibration"]
    frequency, stated = sklearn.calibration.calibration_curve(labels, positive, n_bins=10)
    assert [row["frequency"] for row in table] == pytest.approx(frequency.tolist())
    assert [row["mean_prediction"] for row in table] == pytest.approx(stated.tolist())
    assert sum(row["count"] for row in table) == 3_000
    gaps = [row["count"] * abs(row["frequency"] - row["mean_prediction"]) for row in table]
    assert found["calibration_error"] == pytest.approx(sum(gaps) / 3_000)


def test_multiclass_calibration_is_that_of_the_answer_given() -> None:
    settings = Learning(task="multiclass", classes=3)
    probabilities = np.array([[0.62, 0.3, 0.08], [0.1, 0.68, 0.22], [0.0, 0.0, 1.0]])
    sums = class_sums(probabilities, np.array([0.0, 2.0, 2.0]), NAN, np.zeros(3))
    sixty, certain = metrics(sums, settings)["calibration"]
    assert (sixty["from"], sixty["count"], sixty["frequency"]) == (0.6, 2, 0.5)
    assert sixty["mean_prediction"] == pytest.approx(0.65)
    assert (certain["from"], certain["to"], certain["count"]) == (0.9, 1.0, 1)


def test_a_class_never_seen_changes_no_average() -> None:
    rng = np.random.default_rng(8)
    probabilities, labels = rng.dirichlet(np.ones(3), 200), rng.integers(0, 3, 200).astype(float)
    wide = np.concatenate([probabilities, np.zeros((200, 4))], axis=1)
    three, seven = (
        metrics(
            class_sums(each, labels, NAN, np.zeros(each.shape[1])),
            Learning(task="multiclass", classes=each.shape[1]),
        )
        for each in (probabilities, wide)
    )
    del three["baselines"], seven["baselines"]  # the majority's probabilities know the classes
    assert three.keys() == seven.keys()
    for name, figure in three.items():
        expected = pytest.approx(figure, rel=1e-12) if isinstance(figure, float) else figure
        assert seven[name] == expected, name


def test_no_change_names_labels_and_has_no_log_loss() -> None:
    sums = binary_sums(np.full(4, 0.4), np.array([0.0, 1.0, 1.0, 0.0]))
    baselines = metrics(sums, BINARY)["baselines"]
    assert baselines["no_change"]["accuracy"] == pytest.approx(1 / 3)
    assert not {"log_loss", "brier"} & baselines["no_change"].keys()
    assert {"log_loss", "brier", "accuracy", "f1", "balanced_accuracy"} <= set(
        baselines["majority"]
    )


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_counts_of_shards_merge_exactly_in_any_order(order: tuple[int, ...]) -> None:
    rng = np.random.default_rng(7)
    positive, labels = rng.random(300), rng.integers(0, 2, 300).astype(float)
    whole = binary_sums(positive, labels)
    shards = [binary_sums(positive[i::3], labels[i::3]) for i in range(3)]
    merged: Sums = {}
    for i in order:
        merged = add_sums(merged, shards[i])
    assert np.array_equal(merged["counts"][0], whole["counts"][0])
    assert np.array_equal(merged["histogram"], whole["histogram"])
    np.testing.assert_allclose(merged["losses"][0], whole["losses"][0], rtol=1e-12)
    np.testing.assert_allclose(merged["calibration"], whole["calibration"], rtol=1e-12)


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_pinball_equals_scikit_learn(level: float) -> None:
    learning = Learning(task="regression", loss=Quantile(level=level))
    assert deviance_of(learning) == Deviance("pinball", level)
    rng = np.random.default_rng(1)
    labels, values = rng.normal(size=100), rng.normal(size=100)
    deviance = Deviance("pinball", level)
    sums = value_sums(values, labels, NAN, np.zeros(2), deviance)
    exact = sklearn.metrics.mean_pinball_loss(labels, values, alpha=level)
    assert value_metrics(sums, 0, deviance)["pinball"] == pytest.approx(exact)
    before = sklearn.metrics.mean_pinball_loss(labels[1:], labels[:-1], alpha=level)
    assert value_metrics(sums, 1, deviance)["pinball"] == pytest.approx(before)


def test_poisson_deviance_equals_scikit_learn() -> None:
    learning = Learning(task="regression", loss=Poisson())
    assert deviance_of(learning) == Deviance("poisson_deviance")
    assert deviance_of(Learning(task="regression")) == Deviance()
    rng = np.random.default_rng(2)
    values = rng.gamma(2.0, size=100)
    labels = rng.poisson(values).astype(float)
    assert (labels == 0).any()
    deviance = Deviance("poisson_deviance")
    sums = value_sums(values, labels, NAN, np.zeros(2), deviance)
    exact = sklearn.metrics.mean_poisson_deviance(labels, values)
    assert value_metrics(sums, 0, deviance)["poisson_deviance"] == pytest.approx(exact)
