"""Laws that the gradients of every family keep."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from flink_ol.core.config import Features, Learning, LinearModel, MlpModel
from flink_ol.core.learner import Learner
from flink_ol.core.losses import SECTIONS
from tests.core import tasks
from tests.core.gradients import (
    MODELS,
    OPTIMIZERS,
    PARAMETERS,
    assert_equal_bits,
    begun,
    every_model,
    suited,
)
from tests.core.laws import NAN, same
from tests.core.streams import samples_of
from tests.core.tasks import TASKS


def settings_of(loss: str, family: str, **rest: object) -> Learning:
    task = SECTIONS[loss].TASKS[0]
    fields = {"model": MODELS[family], "loss": SECTIONS[loss](), "seed": 5, **rest}
    return tasks.learning(task, "sgd", **fields)


def check_differences(settings: Learning) -> None:
    """Every coordinate's sum is the central difference of the samples' loss."""
    learner, loss = Learner(settings), settings.chosen_loss
    samples = suited(settings, 12, seed=32, weighted=True)
    state = begun(learner)
    delta, _ = learner.gradient(state, samples, NAN)
    slots = state.slots(delta.keys)
    parameters = [name for name in delta.arrays if name.startswith(PARAMETERS)]
    assert parameters
    h = 1e-5
    for name in parameters:
        per_feature = delta.arrays[name].shape != state.arrays[name].shape
        for place in np.ndindex(delta.arrays[name].shape):
            at = (slots[place[0]], *place[1:]) if per_feature else place
            sides = []
            for side in (h, -h):
                moved = state.copy()
                moved.arrays[name][at] += side
                values = loss.value(learner.scores(moved, samples), samples.labels)
                sides.append(samples.importance @ values)
            slope = (sides[0] - sides[1]) / (2.0 * h)
            assert delta.arrays[name][place] == pytest.approx(slope, rel=2e-6, abs=2e-7), name


@pytest.mark.parametrize("loss", SECTIONS)
@every_model
def test_gradients_equal_central_differences_of_the_loss(family: str, loss: str) -> None:
    check_differences(settings_of(loss, family))


@pytest.mark.parametrize("scale", ["none", "min_max"])
@every_model
def test_gradients_are_those_at_the_values_that_the_model_scores(family: str, scale: str) -> None:
    features = Features(scale=scale)  # type: ignore[arg-type]
    check_differences(settings_of("logistic", family, features=features))


def test_penalties_stay_out_of_the_gradient() -> None:
    check_differences(settings_of("logistic", "linear", model=LinearModel(l2=0.3, l1=0.1)))


@every_model
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_gradient_changes_nothing_and_gives_the_same_bits_again(family: str, name: str) -> None:
    learner = Learner(tasks.learning("binary", name, model=MODELS[family]))
    samples = suited(learner.learning, 50, seed=33)
    state = begun(learner)
    state.slots(samples.keys)
    before = state.copy()
    first, sums = learner.gradient(state, samples, 1.0)
    again, sums_again = learner.gradient(state, samples, 1.0)
    assert same(state, before)
    assert_equal_bits(first, again)
    for key, array in sums.items():
        assert array.tobytes() == sums_again[key].tobytes()


@pytest.mark.parametrize("scale", ["standard", "min_max", "none"])
@every_model
def test_statistics_are_those_that_differences_carry(family: str, scale: str) -> None:
    features = Features(scale=scale, missing="mean")  # type: ignore[arg-type]
    for task in TASKS:
        learner = Learner(tasks.learning(task, "adam", model=MODELS[family], features=features))
        samples = suited(learner.learning, 30, seed=34)
        state = begun(learner)
        delta, _ = learner.gradient(state, samples, NAN)
        mark = learner.mark(state, samples)
        learner.learn(state, samples, NAN, 1.0)
        expected = learner.difference(state, mark, samples)
        assert np.array_equal(delta.keys, expected.keys)
        statistics = [name for name in delta.arrays if not name.startswith(PARAMETERS)]
        assert {"steps", "baseline"} < set(statistics) or scale == "none"
        for name in statistics:
            assert delta.arrays[name].dtype == expected.arrays[name].dtype
            assert np.array_equal(delta.arrays[name], expected.arrays[name]), name
        assert not [name for name in delta.arrays if "mean_square" in name]


@every_model
def test_sums_score_every_sample_with_the_same_state(family: str) -> None:
    learner = Learner(tasks.learning("regression", "sgd", model=MODELS[family]))
    samples = suited(learner.learning, 30, seed=35)
    state = begun(learner)
    answers = learner.predict(learner.scores(state, samples))
    _, sums = learner.gradient(state, samples, NAN)
    squares = float(((answers - samples.labels) ** 2).sum())
    assert any(np.isclose(array, squares, rtol=1e-12).any() for array in sums.values()), sums


@every_model
def test_importance_counts_like_copies(family: str) -> None:
    learner = Learner(tasks.learning("multiclass", "sgd", model=MODELS[family]))
    one = suited(learner.learning, 20, seed=36)
    entries = list(zip(one.keys.tolist(), one.values.tolist(), one.numeric.tolist(), strict=True))
    rows = [entries[a:b] for a, b in pairwise(one.indptr.tolist())]
    copies = samples_of([row for row in rows for _ in range(3)], np.repeat(one.labels, 3).tolist())
    weighted = one.rows(0, 20)
    weighted.importance[:] = 3.0
    state = begun(learner)
    found, _ = learner.gradient(state, weighted, NAN)
    expected, _ = learner.gradient(state, copies, NAN)
    for name in found.arrays:
        if name.startswith(PARAMETERS):
            np.testing.assert_allclose(
                found.arrays[name], expected.arrays[name], rtol=1e-11, atol=1e-12
            )


@every_model
def test_a_sample_beyond_the_numbers_shows_in_its_gradient(family: str) -> None:
    learner = Learner(tasks.learning("regression", "sgd", False, model=MODELS[family]))
    state = learner.initial()
    state.slots(np.array([4]))
    huge = samples_of([[(4, 1e308, True)]], [-1e308])
    for name in ("weights", "weights_1"):
        if name in state.arrays:
            state.arrays[name][0] = 1e10
    delta, _ = learner.gradient(state, huge, NAN)
    assert not delta.finite()
    learner.step(state, [delta], 1.0, 1.0)


def test_dropout_leaves_out_the_same_units_again_and_none_where_it_scores() -> None:
    settings = tasks.learning(
        "binary", "sgd", model=MlpModel(hidden=(8,), activation="tanh", dropout=0.5)
    )
    learner, whole = Learner(settings), Learner(tasks.learning("binary", "sgd", model=WHOLE))
    samples = suited(settings, 300, seed=43)
    state = begun(whole)
    first, sums = learner.gradient(state, samples, NAN)
    again, _ = learner.gradient(state, samples, NAN)
    plain, sums_of_plain = whole.gradient(state, samples, NAN)
    assert_equal_bits(first, again)
    state.arrays["steps"][0] += 1
    later, _ = learner.gradient(state, samples, NAN)
    for other in (plain, later):
        assert not np.allclose(first.arrays["weights_2"], other.arrays["weights_2"], rtol=0.01)
    for key, array in sums.items():
        assert np.array_equal(array, sums_of_plain[key])


WHOLE = MlpModel(hidden=(8,), activation="tanh")


def test_a_network_in_float32_sums_in_float64_and_sends_float32() -> None:
    narrow, wide = (
        Learner(
            tasks.learning(
                "regression", "adam", model=MlpModel(hidden=(6,), activation="tanh", dtype=dtype)
            )
        )
        for dtype in ("float32", "float64")
    )
    samples = suited(wide.learning, 600, seed=44)
    deltas = []
    for learner in (narrow, wide):
        state = learner.initial()
        state.slots(samples.keys)
        state.arrays["scaler"][:] = (10.0, 1.0, 90.0)
        deltas.append(learner.gradient(state, samples, NAN)[0])
        learner.step(state, deltas[-1:], 600.0, 1.0)
        assert state.arrays["weights_2"].dtype == deltas[-1].arrays["weights_2"].dtype
    assert deltas[0].arrays["weights_1"].dtype == np.float32
    for name in ("weights_1", "bias_1", "weights_2", "bias_2"):
        found, expected = deltas[0].arrays[name], deltas[1].arrays[name]
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5 * np.abs(expected).max())
