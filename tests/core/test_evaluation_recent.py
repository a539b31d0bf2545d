"""The window and the faded sums against the long way, sample by sample."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
import sklearn.metrics

from flink_ol.core.config import Learning
from flink_ol.core.evaluation import (
    Evaluation,
    Recent,
    Sums,
    add_sums,
    class_sums,
    metrics,
    value_sums,
)
from flink_ol.core.evaluation.recent import BLOCKS
from flink_ol.core.fields import ConfigError

NAN = float("nan")
BINARY = Learning(task="binary")
REGRESSION = Learning(task="regression")


def updates(settings: Learning, sizes: Sequence[int]) -> tuple[list[Sums], np.ndarray, np.ndarray]:
    """One update's sums for each size, with the answers and labels behind them."""
    rng = np.random.default_rng(4)
    n = sum(sizes)
    labels = rng.integers(0, 2, n).astype(float)
    answers = np.clip(rng.normal(0.3 + 0.4 * labels, 0.2), 0.01, 0.99)
    baseline, previous, start, found = np.zeros(2), NAN, 0, []
    for size in sizes:
        part = slice(start, start + size)
        if settings.task == "binary":
            both = np.stack([1.0 - answers[part], answers[part]], axis=1)
            found.append(class_sums(both, labels[part], previous, baseline))
        else:
            found.append(value_sums(answers[part], labels[part], previous, baseline))
        start += size
        previous = float(labels[start - 1]) if start else NAN
    return found, answers, labels


def window_of(sizes: Sequence[int], window: int) -> int:
    """How many of the newest samples the window holds, by its definition."""
    blocks: list[int] = []
    for size in filter(None, sizes):
        if blocks and blocks[-1] < math.ceil(window / BLOCKS):
            blocks[-1] += size
        else:
            blocks.append(size)
        while sum(blocks[1:]) >= window:
            blocks.pop(0)
    return sum(blocks)


SIZES = {
    "equal": [10] * 60,
    "single": [1] * 150,
    "uneven": [3, 0, 170, 1, 1, 40, 0, 7, 90, 2, 2, 2, 33],
    "large": [500, 300],
    "few": [12, 13],
}


@pytest.mark.parametrize("settings", [BINARY, REGRESSION], ids=lambda s: s.task)
@pytest.mark.parametrize("name", SIZES)
def test_the_window_is_that_of_its_newest_samples(settings: Learning, name: str) -> None:
    sizes, evaluation = SIZES[name], Evaluation(window=100)
    found, answers, labels = updates(settings, sizes)
    recent = Recent()
    for sums in found:
        recent.take(sums, evaluation)
    told = metrics({}, settings, recent.to_arrays())["window"]
    held = window_of(sizes, 100)
    assert told["scored"] == held
    if sum(sizes) >= 100:
        assert held >= 100
    newest, truth = answers[-held:], labels[-held:]
    if settings.task == "binary":
        assert told["accuracy"] == pytest.approx(np.mean((newest > 0.5) == truth))
        assert told["log_loss"] == pytest.approx(
            sklearn.metrics.log_loss(truth, newest, labels=[0, 1])
        )
    else:
        assert told["mae"] == pytest.approx(np.abs(newest - truth).mean())
        assert told["r2"] == pytest.approx(sklearn.metrics.r2_score(truth, newest))
    assert len(recent.blocks) <= BLOCKS + 2


@pytest.mark.parametrize("name", SIZES)
def test_faded_samples_weigh_by_those_that_came_after(name: str) -> None:
    sizes, evaluation = SIZES[name], Evaluation(half_life=50)
    after = np.cumsum(sizes[::-1])[::-1] - sizes
    weights = np.repeat(0.5 ** (after / 50), sizes)
    for settings in (BINARY, REGRESSION):
        found, answers, labels = updates(settings, sizes)
        recent = Recent()
        for sums in found:
            recent.take(sums, evaluation)
        told = metrics({}, settings, recent.to_arrays())["faded"]
        assert told["scored"] == pytest.approx(weights.sum())
        if settings.task == "regression":
            errors = np.abs(answers - labels)
            assert told["mae"] == pytest.approx(np.average(errors, weights=weights))
            expected = sklearn.metrics.r2_score(labels, answers, sample_weight=weights)
            assert told["r2"] == pytest.approx(expected)
            continue
        chosen = answers > 0.5
        kappa = sklearn.metrics.cohen_kappa_score(labels, chosen, sample_weight=weights)
        assert told["kappa"] == pytest.approx(kappa)
        area = sklearn.metrics.roc_auc_score(labels, answers, sample_weight=weights)
        assert abs(told["roc_auc"] - area) <= told["roc_auc_within"] + 1e-12


def test_recent_sums_survive_a_snapshot_and_go_on_as_if_nothing_was() -> None:
    evaluation = Evaluation(window=60, half_life=30)
    found, _, _ = updates(BINARY, [7] * 40)
    straight, restarted = Recent(), Recent()
    for sums in found:
        straight.take(sums, evaluation)
        restarted.take(sums, evaluation)
        restarted = Recent.of_arrays(restarted.to_arrays())
    ours, theirs = straight.to_arrays(), restarted.to_arrays()
    assert ours.keys() == theirs.keys()
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)
    assert straight.sizes == restarted.sizes


def test_recent_sums_share_no_array_with_an_update_or_a_snapshot() -> None:
    found, _, _ = updates(BINARY, [30, 30])
    recent = Recent()
    for sums in found:
        recent.take(sums, Evaluation(window=10))
        before = metrics({}, BINARY, recent.to_arrays())
        for array in (*sums.values(), *recent.to_arrays().values()):
            array[...] = 99
        assert metrics({}, BINARY, recent.to_arrays()) == before


def test_an_update_without_samples_changes_nothing() -> None:
    recent = Recent()
    recent.take({}, Evaluation())
    recent.take(class_sums(np.zeros((0, 2)), np.zeros(0), NAN, np.zeros(2)), Evaluation())
    assert (recent.blocks, recent.faded) == ([], {})
    assert "window" not in metrics({}, BINARY, recent.to_arrays())


def test_a_window_of_everything_equals_the_cumulative_metrics() -> None:
    found, _, _ = updates(BINARY, [13] * 30)
    recent, total = Recent(), Sums()
    for sums in found:
        recent.take(sums, Evaluation(window=10_000, half_life=1_000_000_000))
        total = add_sums(total, sums)
    told = metrics(total, BINARY, recent.to_arrays())
    window = told.pop("window")
    faded = told.pop("faded")
    assert window.keys() == faded.keys() == told.keys()
    for name in ("accuracy", "log_loss", "brier", "roc_auc", "kappa", "f1_macro"):
        assert window[name] == pytest.approx(told[name], rel=1e-12)
        assert faded[name] == pytest.approx(told[name], rel=1e-5)


def test_slices_are_few_and_differ() -> None:
    with pytest.raises(ConfigError, match="slices"):
        Evaluation(slices=("a", "a"))
    with pytest.raises(ConfigError, match="window"):
        Evaluation(window=0)
