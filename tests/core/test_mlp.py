"""The mlp family through the learner: a plain numpy witness, where networks begin, merging."""

from __future__ import annotations

import math
import pickle
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from flink_ol.core.config import (
    AdaGrad,
    ConfigError,
    Features,
    Ftrl,
    InverseScaling,
    Learning,
    Optimizer,
    Sgd,
    Task,
)
from flink_ol.core.families import HiddenLayer, Mlp, MlpModel
from flink_ol.core.families.linear_loops import Rows
from flink_ol.core.families.setting import Setting
from flink_ol.core.learner import Learner
from flink_ol.core.losses import OF_TASK
from flink_ol.core.samples import Samples
from flink_ol.core.state import Delta, State
from tests.core.laws import (
    NAN,
    assert_order_does_not_matter,
    assert_restored,
    own_and_folded,
    same,
)
from tests.core.streams import KEYS, batches, random_samples, samples_of
from tests.core.tasks import TASKS

HIDDEN = (HiddenLayer(units=6, activation="tanh"), 5)


def settings_of(
    task: Task, optimizer: Optimizer | None = None, scale: bool = True, **model: Any
) -> Learning:
    return Learning(
        task=task,
        classes=4 if task == "multiclass" else None,
        model=MlpModel(**{"hidden": HIDDEN, "batch_size": 8, "inputs": 8, **model}),
        features=Features(scale="standard" if scale else "none"),
        optimizer=optimizer or Sgd(learning_rate=0.02),
        seed=11,
    )


OPTIMIZERS: dict[str, Optimizer] = {
    "sgd": Sgd(learning_rate=0.02, schedule=InverseScaling(power=0.3), warm_up=20),
    "adagrad": AdaGrad(learning_rate=0.05),
    "ftrl": Ftrl(alpha=0.05, l1=0.001, l2=0.1),
    "ftrl-late": Ftrl(alpha=0.05, l2=0.1, refresh="late"),
}


def family_of(learning: Learning) -> Mlp:
    assert isinstance(learning.model, MlpModel)
    loss, optimizer = OF_TASK[learning.task], learning.optimizer.kind()
    scaled = learning.features.scale == "standard"
    return Mlp(learning.model, Setting(loss, optimizer, learning.outputs, scaled, True, 11))


def rows_of(state: State, samples: Samples) -> Rows:
    indptr, keys, *rest = samples[:6]
    return Rows(indptr, state.slots(keys), *rest)


laws = pytest.mark.parametrize(
    "settings",
    [
        pytest.param(settings_of(task, optimizer, dropout=0.2), id=f"{task}-{name}")
        for task in TASKS
        for name, optimizer in OPTIMIZERS.items()
    ],
)


class Plain:
    """The network once more, in numpy with a dictionary of first rows, sample by sample in scale.

    Tanh, then relu, as HIDDEN; knows sgd with inverse scaling and warm-up, adagrad and ftrl.
    """

    def __init__(self, learning: Learning, state: State) -> None:
        self.learning, self.steps = learning, 0
        keys, rows = state.vocabulary.keys, state.rows("weights_1")
        self.first = {int(key): row.copy() for key, row in zip(keys, rows, strict=True)}
        self.rest = {
            name: state.arrays[name].copy()
            for name in ("weights_2", "weights_3", "bias_1", "bias_2", "bias_3")
        }
        self.kept: dict[Any, list[np.ndarray]] = {}
        if isinstance(learning.optimizer, Ftrl):
            for name in ("weights_1", *self.rest):
                z = state.arrays[f"{name}_z"].copy()
                if name == "weights_1":
                    self.kept |= {int(key): [z[i], 0.0 * z[i]] for i, key in enumerate(keys)}
                else:
                    self.kept[name] = [z, 0.0 * z]
        self.scaler: dict[int, list[float]] = {}

    def learn(self, samples: Samples, rate_scale: float) -> np.ndarray:
        assert isinstance(self.learning.model, MlpModel)
        scores, size = [], self.learning.model.batch_size
        for start in range(0, len(samples), size):
            mini_batch = samples.rows(start, min(start + size, len(samples)))
            scores.append(self._mini_batch(mini_batch, rate_scale))
        return np.concatenate(scores)

    def _mini_batch(self, samples: Samples, rate_scale: float) -> np.ndarray:
        before, after = [], []
        for i in range(len(samples)):
            span = slice(int(samples.indptr[i]), int(samples.indptr[i + 1]))
            row = list(zip(samples.keys[span], samples.values[span], strict=True))
            numeric = samples.numeric[span]
            if self.learning.features.scale == "none":
                before.append(row)
                after.append(row)
                continue
            known = zip(row, numeric, strict=True)
            before.append([(k, self._scaled(k, v) if is_one else v) for (k, v), is_one in known])
            learned = []
            for (key, value), is_number in zip(row, numeric, strict=True):
                if is_number:
                    entry = self.scaler.setdefault(int(key), [0.0, 0.0, 0.0])
                    entry[0] += 1
                    old = entry[1]
                    entry[1] += (value - old) / entry[0]
                    entry[2] += (value - old) * (value - entry[1])
                    learned.append((key, self._scaled(key, value)))
                else:
                    learned.append((key, value))
            after.append(learned)
        scores = np.array([self._forward(row)[-1] for row in before])
        self._learn(after, samples, rate_scale)
        return scores

    def _scaled(self, key: int, value: float) -> float:
        count, mean, deviations = self.scaler.get(int(key), [0.0, 0.0, 0.0])
        variance = deviations / count if count else 0.0
        noise = variance <= (64 * 2.0**-52 * abs(mean)) ** 2
        return 0.0 if noise else (value - mean) / math.sqrt(variance)

    def _forward(self, row: list[tuple[int, float]]) -> tuple[np.ndarray, ...]:
        p = self.rest
        sums = p["bias_1"] + sum((x * self.first[int(key)] for key, x in row), np.zeros(6))
        one = np.tanh(sums)
        two = np.maximum(0.0, one @ p["weights_2"] + p["bias_2"])
        return one, two, two @ p["weights_3"] + p["bias_3"]

    def _learn(self, rows: list[Any], samples: Samples, rate_scale: float) -> None:
        n, p = len(rows), self.rest
        gradients: dict[Any, np.ndarray] = {name: np.zeros(p[name].shape) for name in p}
        for row, label, importance in zip(rows, samples.labels, samples.importance, strict=True):
            one, two, raw = self._forward(row)
            if self.learning.task == "regression":
                of_raw = 2.0 * (raw - label)
            elif self.learning.task == "binary":
                of_raw = 1.0 / (1.0 + np.exp(-raw)) - label
            else:
                of_raw = np.exp(raw) / np.exp(raw).sum()
                of_raw[int(label)] -= 1.0
            of_raw = of_raw * importance / n
            of_two = (of_raw @ p["weights_3"].T) * (two > 0)
            of_one = (of_two @ p["weights_2"].T) * (1.0 - one * one)
            gradients["weights_3"] += np.outer(two, of_raw)
            gradients["weights_2"] += np.outer(one, of_two)
            for number, gradient in enumerate((of_one, of_two, of_raw), 1):
                gradients[f"bias_{number}"] += gradient
            for key, x in row:
                gradients[int(key)] = gradients.get(int(key), np.zeros(6)) + x * of_one
        for place, gradient in gradients.items():
            values = self.first if isinstance(place, int) else self.rest
            if "bias" not in str(place):
                gradient = gradient + self.learning.model.l2 * values[place]
            values[place] = self._stepped(place, values[place], gradient, rate_scale)
        self.steps += n

    def _stepped(
        self, place: Any, weights: np.ndarray, gradient: np.ndarray, rate_scale: float
    ) -> np.ndarray:
        optimizer = self.learning.optimizer
        if isinstance(optimizer, Sgd):
            factor = 1.0 / (self.steps + 1) ** 0.3 * min(1.0, (self.steps + 1) / 20)
            return weights - optimizer.learning_rate * rate_scale * factor * gradient
        if isinstance(optimizer, AdaGrad):
            (squares,) = self.kept.setdefault(place, [np.zeros(gradient.shape)])
            squares += rate_scale * gradient**2
            rate = optimizer.learning_rate * rate_scale
            return weights - rate * gradient / np.sqrt(squares + optimizer.eps)
        assert isinstance(optimizer, Ftrl)
        z, n = self.kept[place]
        root = np.sqrt(n + rate_scale * gradient**2)
        z += rate_scale * gradient - (root - np.sqrt(n)) / optimizer.alpha * weights
        n += rate_scale * gradient**2
        shrunk = -(z - np.sign(z) * optimizer.l1)
        shrunk /= (optimizer.beta + root) / optimizer.alpha + optimizer.l2
        return np.where(np.abs(z) <= optimizer.l1, 0.0, shrunk)


@pytest.mark.parametrize("optimizer", ["sgd", "adagrad", "ftrl"])
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("scale", [True, False])
def test_mini_batches_equal_those_of_the_plain_network(
    task: Task, optimizer: str, scale: bool
) -> None:
    settings = settings_of(task, OPTIMIZERS[optimizer], scale, l2=0.01)
    family, state = family_of(settings), Learner(settings).initial()
    state.slots(KEYS)
    plain = Plain(settings, state)
    samples = random_samples(settings, 60, seed=1, weighted=True)
    if not scale:  # a feature around 1000 would leave nothing to be compared
        values = np.where(samples.values > 500, 1.0, samples.values)
        samples = Samples(**{**samples._asdict(), "values": values})
    for batch in batches(samples, seed=2):
        scores = family.learn(state.arrays, rows_of(state, batch), 1.5)
        if len(batch):
            np.testing.assert_allclose(scores, plain.learn(batch, 1.5), rtol=1e-9, atol=1e-9)
    for key, row in plain.first.items():
        slot = state.vocabulary.find(np.array([key]))[0]
        np.testing.assert_allclose(state.arrays["weights_1"][slot], row, rtol=1e-9, atol=1e-12)
    for name, array in plain.rest.items():
        np.testing.assert_allclose(state.arrays[name], array, rtol=1e-9, atol=1e-12)
    assert state.arrays["steps"][0] == 60


@laws
def test_restoring_gives_back_every_bit(settings: Learning) -> None:
    assert_restored(settings)


@laws
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_merging_the_differences_gives_the_learners_own_state(
    settings: Learning, dtype: str
) -> None:
    plain = settings.to_json()
    settings = Learning.from_json({**plain, "model": {**plain["model"], "dtype": dtype}})
    learner = Learner(settings)
    own, folded = own_and_folded(learner, 150)
    limit = 1e-12 if dtype == "float64" else 1e-4
    for spec in learner.specs:
        one, other = folded.rows(spec.name), own.rows(spec.name)
        assert one.dtype == other.dtype == np.dtype(spec.dtype)
        bound = limit if one.dtype == np.float32 else 1e-12
        np.testing.assert_allclose(one, other, rtol=bound, atol=bound, err_msg=spec.name)


@laws
def test_merging_ignores_the_order_of_arrival(settings: Learning) -> None:
    assert_order_does_not_matter(settings, 120)


@laws
def test_learning_again_repeats_every_bit_also_after_a_restart(settings: Learning) -> None:
    samples = random_samples(settings, 80, seed=12)
    states = []
    for learner in (Learner(settings), pickle.loads(pickle.dumps(Learner(settings)))):
        state = learner.initial()
        learner.learn(state, samples.rows(0, 40), NAN, 1.0)
        again = State(learner.specs, state.vocabulary.keys.copy())
        for spec in learner.specs:
            again.rows(spec.name)[...] = state.rows(spec.name)
        for one in (state, again):
            learner.learn(one, samples.rows(40, 80), NAN, 1.0)
            states.append(one)
    assert all(same(one, other) for one, other in pairwise(states))


def test_replicas_begin_alike_in_whatever_order_the_features_come() -> None:
    learner = Learner(settings_of("multiclass"))
    states = [learner.initial() for _ in range(3)]
    states[0].slots(KEYS)
    states[1].slots(KEYS[::-1])
    for key in np.roll(KEYS, 3):
        states[2].slots(np.array([key]))
    for state in states[1:]:
        slots, others = state.vocabulary.find(KEYS), states[0].vocabulary.find(KEYS)
        for spec in learner.specs:
            mine, first = state.arrays[spec.name], states[0].arrays[spec.name]
            if spec.per_feature:
                mine, first = mine[slots], first[others]
            assert mine.tobytes() == first.tobytes()
    other = Learner(replace(settings_of("multiclass"), seed=12)).initial()
    assert not np.array_equal(other.arrays["weights_2"], states[0].arrays["weights_2"])


@pytest.mark.parametrize("optimizer", ["sgd", "ftrl"])
@pytest.mark.parametrize(
    ("initial", "expected"),
    [("he", (2 / 300, 2 / 200, 2 / 80)), ("glorot", (2 / 500, 2 / 280, 2 / 84))],
)
def test_first_weights_have_the_spread_of_he_and_glorot(
    initial: str, expected: tuple[float, ...], optimizer: str
) -> None:
    settings = settings_of(
        "multiclass", OPTIMIZERS[optimizer], hidden=(200, 80), inputs=300, initial=initial
    )
    learner = Learner(settings)
    state = learner.initial()
    slots = state.slots(np.arange(-150, 150, dtype=np.int64))
    drawn = [state.arrays[f"weights_{number}"].copy() for number in (1, 2, 3)]
    for weights, variance in zip(drawn, expected, strict=True):
        weights = weights[: len(slots)] if len(weights) > 300 else weights
        tolerance = 6 / math.sqrt(weights.size)
        assert weights.var() == pytest.approx(variance, rel=tolerance)
        assert abs(weights.mean()) < tolerance * math.sqrt(variance)
    assert not any(state.arrays[f"bias_{number}"].any() for number in (1, 2, 3))
    if optimizer == "ftrl":  # z and n say the same
        learner.merge(state, Delta(np.arange(-150, 150, dtype=np.int64), {}), 1.0)
        for number, weights in enumerate(drawn, 1):
            after = state.arrays[f"weights_{number}"]
            np.testing.assert_allclose(after, weights, rtol=1e-9, atol=1e-12)


def test_a_sample_counted_twice_in_its_mini_batch_has_twice_the_gradient() -> None:
    settings = settings_of("binary", Sgd(learning_rate=0.1), scale=False)
    row, other = [(1, 0.5, True), (2, -1.0, True)], [(2, 2.0, True)]
    once = samples_of([row, other], [1.0, 0.0], [2.0, 1.0])
    twice = samples_of([row, other, row], [1.0, 0.0, 1.0])
    changes = []
    for samples in (once, twice):
        learner, state = Learner(settings), Learner(settings).initial()
        state.slots(samples.keys)
        mark = learner.mark(state, samples)
        learner.learn(state, samples, NAN, 1.0)
        difference = learner.difference(state, mark, samples).arrays["weights_2"]
        changes.append(difference * len(samples))
    np.testing.assert_allclose(changes[0], changes[1], rtol=1e-9, atol=1e-15)


def test_only_the_rows_of_the_mini_batchs_features_step() -> None:
    settings = settings_of("binary", Sgd(learning_rate=0.1), l2=0.5)
    learner, state = Learner(settings), Learner(settings).initial()
    slots = state.slots(KEYS)
    before = state.rows("weights_1").copy()
    key = int(KEYS[3])
    learner.learn(state, samples_of([[(key, 1.0, False)]], [1.0]), NAN, 1.0)
    moved = (state.rows("weights_1") != before).any(axis=1)
    assert list(np.flatnonzero(moved)) == [slots[3]]


def test_unknown_features_count_as_absent_in_scores_and_stay_unknown() -> None:
    settings = settings_of("regression", dropout=0.5)
    learner, state = Learner(settings), Learner(settings).initial()
    learner.learn(state, random_samples(settings, 50, seed=14), NAN, 1.0)
    key = int(KEYS[0])
    known = samples_of([[(key, 0.7, True)]], [NAN])
    more = samples_of([[(424242, 5.0, True), (key, 0.7, True), (434343, 1.0, False)]], [NAN])
    before = state.copy()
    assert learner.scores(state, more) == learner.scores(state, known)
    assert same(state, before)


@pytest.mark.parametrize("value", [1e200, -1e308, math.inf])
def test_a_number_too_large_to_learn_from_shows(value: float) -> None:
    settings = settings_of("regression", scale=False, hidden=(4,), activation="gelu")
    learner, state = Learner(settings), Learner(settings).initial()
    poison = samples_of([[(1, value, True)], [(1, 1.0, True)]], [1.0, 2.0])
    mark = learner.mark(state, poison)
    sums = learner.learn(state, poison, NAN, 1.0)
    delta = learner.difference(state, mark, poison)
    assert not (delta.finite() and all(np.isfinite(value).all() for value in sums.values()))
    learner.restore(state, mark)
    assert all(np.isfinite(state.rows(spec.name)).all() for spec in learner.specs)


def test_without_intercept_no_layer_has_a_bias() -> None:
    settings = replace(settings_of("binary"), features=Features(intercept=False))
    learner, state = Learner(settings), Learner(settings).initial()
    assert not [spec.name for spec in learner.specs if "bias" in spec.name]
    learner.learn(state, random_samples(settings, 20, seed=1), NAN, 1.0)
    nothing = samples_of([[]], [NAN])
    assert learner.scores(state, nothing) == 0.0


def test_settings_come_back_from_json_and_say_what_is_wrong() -> None:
    settings = settings_of("multiclass", dropout=0.1, dtype="float32")
    assert Learning.from_json(settings.to_json()) == settings
    wrong: dict[str, list[object]] = {
        "hidden": [[0], [{"units": 3, "activation": "softmax"}], 5],
        "dropout": [1.0],
        "batch_size": [0],
        "inputs": [0],
        "dtype": ["int8"],
        "initial": ["zeros"],
    }
    for key, values in wrong.items():
        for value in values:
            with pytest.raises(ConfigError, match=f"model.{key}"):
                Learning.from_json({"task": "binary", "model": {"family": "mlp", key: value}})
