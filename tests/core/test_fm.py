"""Factorization machines against explicit pairs in plain numpy, and what only pairs can learn."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from flink_ol.core import losses
from flink_ol.core.config import (
    AdaGrad,
    Adam,
    Features,
    FmModel,
    Ftrl,
    Learning,
    LinearModel,
    Optimizer,
    Sgd,
    Task,
)
from flink_ol.core.evaluation import metrics
from flink_ol.core.learner import Learner
from flink_ol.core.samples import Samples
from flink_ol.core.state import State
from tests.core.streams import samples_of

NAN = float("nan")
K = 3
OPTIMIZERS: dict[str, Optimizer] = {
    "sgd": Sgd(learning_rate=0.02),
    "adagrad": AdaGrad(learning_rate=0.1),
    "adam": Adam(learning_rate=0.02),
    "ftrl": Ftrl(alpha=0.1, l1=0.01, l2=0.1),
    "ftrl-intercept": Ftrl(alpha=0.1, l1=0.0, l2=0.1, intercept_learning_rate=None),
}
each = pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
by_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS)


def learning(task: Task, optimizer: str, scale: str = "none", **model: object) -> Learning:
    return Learning(
        task=task,
        classes=3 if task == "multiclass" else None,
        model=FmModel(factors=K, initial_deviation=0.3, **model),  # type: ignore[arg-type]
        features=Features(scale=scale),  # type: ignore[arg-type]
        optimizer=OPTIMIZERS[optimizer],
        seed=5,
    )


def stream(task: Task, n: int, seed: int) -> Samples:
    """Sparse rows of six features whose label depends on a pair."""
    rng = np.random.default_rng(seed)
    rows, labels = [], []
    for _ in range(n):
        values = rng.normal(size=6)
        here = np.flatnonzero(rng.random(6) < 0.7)
        rows.append([(int(j) * 7 - 3, float(values[j]), True) for j in here])
        score = values[0] * values[1] - values[2] + 0.1 * rng.normal()
        label = {"binary": score > 0, "multiclass": int(score > -0.5) + int(score > 0.5)}
        labels.append(float(label.get(task, score)))
    return samples_of(rows, labels)


def pair_score(state: State, row: dict[int, float], outputs: int) -> np.ndarray:
    """Raw scores (outputs,) by the definition: intercept, features, every pair."""
    arrays = state.arrays
    total = arrays["intercept"].astype(float).copy()
    slots = list(row)
    factors = arrays["factors"].reshape(-1, outputs, K)
    for position, i in enumerate(slots):
        total += arrays["weights"][i] * row[i]
        for j in slots[position + 1 :]:
            total += (factors[i] * factors[j]).sum(axis=1) * row[i] * row[j]
    return total


def rows_of(state: State, samples: Samples) -> list[dict[int, float]]:
    slots = state.vocabulary.find(samples.keys)
    ends = samples.indptr
    return [
        dict(zip(slots[a:b].tolist(), samples.values[a:b].tolist(), strict=True))
        for a, b in pairwise(ends)
    ]


class Plain:
    """Steps of one coordinate by the textbook, everything kept by name."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        self.kept: dict[object, list[float]] = {}

    def first_z(self, place: object, weight: float) -> None:
        assert isinstance(self.optimizer, Ftrl)
        o = self.optimizer
        z = -(weight * (o.beta / o.alpha + o.l2) + math.copysign(o.l1, weight))
        self.kept[place] = [z if weight else 0.0, 0.0]

    def __call__(self, place: object, weight: float, gradient: float, t: int) -> float:
        kept, o = self.kept.setdefault(place, [0.0, 0.0]), self.optimizer
        if isinstance(o, Ftrl):
            sigma = (math.sqrt(kept[1] + gradient**2) - math.sqrt(kept[1])) / o.alpha
            kept[0] += gradient - sigma * weight
            kept[1] += gradient**2
            if abs(kept[0]) <= o.l1:
                return 0.0
            shrunk = kept[0] - math.copysign(o.l1, kept[0])
            return -shrunk / ((o.beta + math.sqrt(kept[1])) / o.alpha + o.l2)
        if isinstance(o, AdaGrad):
            kept[0] += gradient**2
            return weight - o.learning_rate * gradient / math.sqrt(kept[0] + o.eps)
        if isinstance(o, Adam):
            kept[0] = o.beta_1 * kept[0] + (1 - o.beta_1) * gradient
            kept[1] = o.beta_2 * kept[1] + (1 - o.beta_2) * gradient**2
            mean, square = kept[0] / (1 - o.beta_1**t), kept[1] / (1 - o.beta_2**t)
            return weight - o.learning_rate * mean / (math.sqrt(square) + o.eps)
        assert isinstance(o, Sgd)
        return weight - o.learning_rate * gradient


@each
@by_optimizer
def test_learning_is_that_of_explicit_pairs(task: Task, optimizer: str) -> None:
    settings = learning(task, optimizer, l2=0.01, factors_l2=0.02)
    learner, samples = Learner(settings), stream(task, 150, seed=1)
    state = learner.initial()
    state.slots(samples.keys)
    plain = state.copy()
    outputs, loss, step = settings.outputs, settings.chosen_loss, Plain(settings.optimizer)
    factors = plain.arrays["factors"]
    if isinstance(settings.optimizer, Ftrl):
        for i in range(plain.vocabulary.size):
            for f in range(outputs * K):
                step.first_z(("v", i, f), factors[i, f])
    learner.learn(state, samples, NAN, 1.0)

    rate = settings.optimizer.kind().intercept_rate
    for t, (row, label) in enumerate(
        zip(rows_of(plain, samples), samples.labels, strict=True), start=1
    ):
        raw = pair_score(plain, row, outputs)
        gradients = np.empty(outputs)
        losses.gradients(loss.code, loss.parameters, raw, float(label), gradients)
        before = {name: array.copy() for name, array in plain.arrays.items()}
        for o in range(outputs):
            bias = plain.arrays["intercept"]
            bias[o] = (
                step(("b", o), bias[o], gradients[o], t)
                if rate is None
                else bias[o] - rate * gradients[o]
            )
            for i, x in row.items():
                w = before["weights"][i, o]
                plain.arrays["weights"][i, o] = step(("w", i, o), w, gradients[o] * x + 0.01 * w, t)
                for f in range(o * K, o * K + K):
                    others = sum(before["factors"][j, f] * y for j, y in row.items() if j != i)
                    v = before["factors"][i, f]
                    along = gradients[o] * x * others + 0.02 * v
                    factors[i, f] = step(("v", i, f), v, along, t)
    for name in ("weights", "factors", "intercept"):
        np.testing.assert_allclose(
            state.rows(name), plain.rows(name), rtol=1e-9, atol=1e-12, err_msg=name
        )


@each
def test_scores_are_those_of_explicit_pairs_and_skip_the_unknown(task: Task) -> None:
    settings = learning(task, "sgd")
    learner, samples = Learner(settings), stream(task, 80, seed=2)
    state = learner.initial()
    state.slots(samples.keys[:4])
    learner.learn(state, samples.rows(0, 0), NAN, 1.0)
    rows = rows_of(state, samples)
    known = [{slot: x for slot, x in row.items() if slot >= 0} for row in rows]
    expected = [pair_score(state, row, settings.outputs) for row in known]
    np.testing.assert_allclose(learner.scores(state, samples), expected, rtol=1e-12, atol=1e-14)


def test_replicas_draw_the_same_factors_whatever_feature_comes_first() -> None:
    learner, keys = Learner(learning("binary", "sgd")), np.array([5, -9, 2**61], np.int64)
    ours, theirs = learner.initial(), learner.initial()
    ours.slots(keys)
    theirs.slots(keys[::-1].copy())
    np.testing.assert_array_equal(ours.rows("factors"), theirs.rows("factors")[::-1])
    assert len(np.unique(ours.rows("factors"))) == 3 * K


def test_the_first_factors_have_the_deviation_that_was_asked_for() -> None:
    state = Learner(learning("binary", "sgd")).initial()
    state.slots(np.arange(5000, dtype=np.int64))
    assert state.rows("factors").std() == pytest.approx(0.3, rel=0.02)
    assert state.rows("factors").mean() == pytest.approx(0.0, abs=0.01)


@each
@by_optimizer
def test_merged_differences_are_the_learners_own_state(task: Task, optimizer: str) -> None:
    settings = learning(task, optimizer, scale="standard")
    learner, samples = Learner(settings), stream(task, 120, seed=3)
    own, folded = learner.initial(), learner.initial()
    for start in range(0, 120, 30):
        batch = samples.rows(start, start + 30)
        mark = learner.mark(own, batch)
        learner.learn(own, batch, NAN, 1.0)
        learner.merge(folded, learner.difference(own, mark, batch), 1.0)
    for spec in learner.specs:
        np.testing.assert_allclose(
            folded.rows(spec.name), own.rows(spec.name), rtol=1e-11, atol=1e-12, err_msg=spec.name
        )


@each
def test_merging_ignores_the_order_of_arrival(task: Task) -> None:
    learner = Learner(learning(task, "adagrad", scale="standard"))
    base = learner.initial()
    deltas = []
    for seed in (4, 5, 6):
        shard, samples = base.copy(), stream(task, 40, seed)
        mark = learner.mark(shard, samples)
        learner.learn(shard, samples, NAN, 1.0)
        deltas.append(learner.difference(shard, mark, samples))
    merged = []
    for order in ((0, 1, 2), (2, 0, 1)):
        state = base.copy()
        for i in order:
            learner.merge(state, deltas[i], 1 / 3)
        merged.append(state)
    slots = merged[1].vocabulary.find(merged[0].vocabulary.keys)
    for spec in learner.specs:
        theirs = merged[1].rows(spec.name)
        theirs = theirs[slots] if spec.per_feature else theirs
        np.testing.assert_allclose(merged[0].rows(spec.name), theirs, rtol=1e-9, atol=1e-12)


def test_a_pair_is_learned_where_single_features_tell_nothing() -> None:
    rng = np.random.default_rng(7)
    a, b = rng.integers(0, 2, 6000), rng.integers(0, 2, 6000)
    rows = [
        [(10 + int(i), 1.0, False), (20 + int(j), 1.0, False)] for i, j in zip(a, b, strict=True)
    ]
    samples = samples_of(rows, (a ^ b).astype(float).tolist())
    accuracy = {}
    for model in (LinearModel(), FmModel(factors=4, initial_deviation=0.1)):
        settings = Learning(
            task="binary", model=model, optimizer=AdaGrad(learning_rate=0.2), seed=1
        )
        learner = Learner(settings)
        state = learner.initial()
        learner.mark(state, samples)
        accuracy[model.family] = metrics(learner.learn(state, samples, NAN, 1.0), settings)[
            "accuracy"
        ]
    assert accuracy["linear"] < 0.56
    assert accuracy["fm"] > 0.95
