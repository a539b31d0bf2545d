"""Steps along summed gradients are the textbook's full-batch descent, shard by shard or at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from flink_ol.core.config import (
    Adam,
    Cosine,
    Features,
    Ftrl,
    Learning,
    LinearModel,
    Momentum,
    Optimizer,
    Sgd,
    Task,
)
from flink_ol.core.features.hashing import feature_key
from flink_ol.core.learner import Learner
from flink_ol.core.samples import Samples
from tests.core.laws import NAN, same
from tests.core.tasks import TASKS

ROUNDS, COUNT, WIDTH = 50, 120, 10

# gradient (coordinates, outputs), number of the step -> what the parameters become
Descent = Callable[[np.ndarray, np.ndarray, int], np.ndarray]


def gradient_descent() -> Descent:
    return lambda w, g, t: w - 0.05 * g


def momentum() -> Descent:
    kept = {"v": np.zeros(())}

    def step(w: np.ndarray, g: np.ndarray, t: int) -> np.ndarray:
        kept["v"] = 0.8 * kept["v"] + g
        return w - 0.02 * kept["v"]

    return step


def adam() -> Descent:
    """Kingma, Ba 2015, algorithm 1."""
    kept = {"m": np.zeros(()), "v": np.zeros(())}

    def step(w: np.ndarray, g: np.ndarray, t: int) -> np.ndarray:
        kept["m"] = 0.9 * kept["m"] + 0.1 * g
        kept["v"] = 0.99 * kept["v"] + 0.01 * g**2
        unbiased, square = kept["m"] / (1 - 0.9**t), kept["v"] / (1 - 0.99**t)
        return np.asarray(w - 0.05 * unbiased / (np.sqrt(square) + 1e-8))

    return step


def ftrl() -> Descent:
    """McMahan et al. 2013, algorithm 1."""
    kept = {"z": np.zeros(()), "n": np.zeros(())}

    def step(w: np.ndarray, g: np.ndarray, t: int) -> np.ndarray:
        sigma = (np.sqrt(kept["n"] + g**2) - np.sqrt(kept["n"])) / 0.3
        kept["z"], kept["n"] = kept["z"] + g - sigma * w, kept["n"] + g**2
        z, n = kept["z"], kept["n"]
        far = np.abs(z) > 0.05
        return np.where(far, -(z - np.sign(z) * 0.05) / ((1.0 + np.sqrt(n)) / 0.3 + 0.1), 0.0)

    return step


TEXTBOOK: dict[str, tuple[Optimizer, Callable[[], Descent]]] = {
    "sgd": (Sgd(learning_rate=0.05, intercept_learning_rate=None), gradient_descent),
    "momentum": (Momentum(learning_rate=0.02, momentum=0.8), momentum),
    "adam": (Adam(learning_rate=0.05, beta_2=0.99), adam),
    "ftrl": (Ftrl(alpha=0.3, l1=0.05, l2=0.1, intercept_learning_rate=None), ftrl),
}


def dense(task: Task, count: int = COUNT) -> tuple[np.ndarray, Samples]:
    """X (count, WIDTH + 1) with a last column of ones, and the same as samples."""
    rng = np.random.default_rng(7)
    X = np.hstack([rng.normal(size=(count, WIDTH)), np.ones((count, 1))])
    scores = X @ rng.normal(size=(WIDTH + 1, 3)) + 0.5 * rng.normal(size=(count, 3))
    labels = {
        "regression": scores[:, 0],
        "binary": (scores[:, 0] > 0).astype(float),
        "multiclass": scores.argmax(axis=1).astype(float),
    }[task]
    keys = [feature_key(f"x{i}") for i in range(WIDTH)]
    samples = Samples(
        np.arange(count + 1, dtype=np.int64) * WIDTH,
        np.tile(np.array(keys, np.int64), count),
        X[:, :WIDTH].ravel(),
        np.ones(count * WIDTH, np.bool_),
        labels,
        np.ones(count),
        np.arange(count, dtype=np.int64),
        {key: f"x{i}" for i, key in enumerate(keys)},
    )
    return X, samples


def plain(task: Task, optimizer: Optimizer, **rest: object) -> Learning:
    fields = {
        "task": task,
        "classes": 3 if task == "multiclass" else None,
        "features": Features(scale="none"),
        "optimizer": optimizer,
        **rest,
    }
    return Learning(**fields)  # type: ignore[arg-type]


def along(task: Task, scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Gradient with respect to the scores, (samples, outputs)."""
    if task == "regression":
        return 2.0 * (scores - labels[:, None])
    if task == "binary":
        return 1.0 / (1.0 + np.exp(-scores)) - labels[:, None]
    powers = np.exp(scores)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True) - np.eye(3)[labels.astype(int)])


@pytest.mark.parametrize("name", TEXTBOOK)
@pytest.mark.parametrize("task", TASKS)
def test_rounds_equal_full_batch_descent_in_plain_numpy(task: Task, name: str) -> None:
    optimizer, textbook = TEXTBOOK[name]
    X, samples = dense(task)
    learner = Learner(plain(task, optimizer))
    state, update = learner.initial(), textbook()
    W = np.zeros((WIDTH + 1, learner.outputs))
    for number in range(1, ROUNDS + 1):
        delta, _ = learner.gradient(state, samples, NAN)
        learner.step(state, [delta], COUNT, 1.0)
        W = update(W, X.T @ along(task, X @ W, samples.labels) / COUNT, number)
        np.testing.assert_allclose(state.rows("weights"), W[:WIDTH], rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(state.rows("intercept"), W[WIDTH], rtol=1e-12, atol=1e-13)
    assert np.abs(W).max() > 0.3
    assert int(state.arrays["steps"][0]) == ROUNDS * COUNT


@pytest.mark.parametrize("task", TASKS)
def test_the_loss_falls_from_round_to_round(task: Task) -> None:
    _, samples = dense(task)
    settings = plain(task, Sgd(learning_rate=0.05, intercept_learning_rate=None))
    learner, loss = Learner(settings), settings.chosen_loss
    state = learner.initial()
    values = []
    for _ in range(20):
        values.append(loss.value(learner.scores(state, samples), samples.labels).mean())
        delta, _ = learner.gradient(state, samples, NAN)
        learner.step(state, [delta], COUNT, 1.0)
    assert all(np.diff(values) < 0.0), values
    assert values[-1] < 0.9 * values[0], values


@pytest.mark.parametrize("name", TEXTBOOK)
@pytest.mark.parametrize("shards", [2, 3, 7])
def test_shards_repeat_their_bits_and_equal_the_sum_at_once(name: str, shards: int) -> None:
    _, samples = dense("multiclass")
    learner = Learner(plain("multiclass", TEXTBOOK[name][0]))
    edges = np.linspace(0, COUNT, shards + 1).astype(int)
    parts = [samples.rows(int(a), int(b)) for a, b in pairwise(edges)]
    states = [learner.initial() for _ in range(3)]
    for _ in range(ROUNDS):
        for state in states[:2]:
            deltas = [learner.gradient(state, part, NAN)[0] for part in parts]
            learner.step(state, deltas, COUNT, 1.0)
        whole, _ = learner.gradient(states[2], samples, NAN)
        learner.step(states[2], [whole], COUNT, 1.0)
    assert same(states[0], states[1])
    for spec in learner.specs:
        found, expected = (state.rows(spec.name) for state in states[1:])
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_l2_and_l1_act_once_a_round_whatever_the_samples() -> None:
    X, samples = dense("regression")
    rate, l2, l1 = 0.05, 0.3, 0.2
    learner = Learner(
        plain(
            "regression",
            Sgd(learning_rate=rate, intercept_learning_rate=None),
            model=LinearModel(l2=l2, l1=l1),
        )
    )
    state, W = learner.initial(), np.zeros(WIDTH + 1)
    only_weights = np.append(np.ones(WIDTH), 0.0)
    for _ in range(ROUNDS):
        halves = [learner.gradient(state, samples.rows(*span), NAN)[0] for span in HALVES]
        learner.step(state, halves, COUNT, 1.0)
        gradient = 2.0 * X.T @ (X @ W - samples.labels) / COUNT
        W = W - rate * (gradient + l2 * only_weights * W)
        W = np.sign(W) * np.maximum(np.abs(W) - rate * l1 * only_weights, 0.0)
    np.testing.assert_allclose(state.rows("weights")[:, 0], W[:WIDTH], rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(state.rows("intercept"), W[WIDTH:], rtol=1e-12)
    assert 0 < np.count_nonzero(W) < WIDTH


HALVES = ((0, COUNT // 2), (COUNT // 2, COUNT))


def test_schedule_and_warm_up_count_samples_and_are_read_before_the_round() -> None:
    X, samples = dense("regression")
    optimizer = Sgd(
        learning_rate=0.1,
        intercept_learning_rate=0.03,
        feature_learning_rates={"x4": 0.01},
        schedule=Cosine(samples=20 * COUNT, floor=0.1),
        warm_up=5 * COUNT + 60,
    )
    learner = Learner(plain("regression", optimizer))
    state, W = learner.initial(), np.zeros(WIDTH + 1)
    rates = np.full(WIDTH + 1, 0.1)
    rates[4] = 0.01
    for number in range(30):
        delta, _ = learner.gradient(state, samples, NAN)
        learner.step(state, [delta], COUNT, 1.5)
        learned = number * COUNT
        wave = 0.5 * (1.0 + math.cos(math.pi * min(1.0, learned / (20 * COUNT))))
        factor = (0.1 + 0.9 * wave) * min(1.0, (learned + 1) / (5 * COUNT + 60))
        paces = 1.5 * np.append(rates[:WIDTH] * factor, 0.03)
        W = W - paces * 2.0 * (X.T @ (X @ W - samples.labels)) / COUNT
    np.testing.assert_allclose(state.rows("weights")[:, 0], W[:WIDTH], rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(state.rows("intercept"), W[WIDTH:], rtol=1e-12)
