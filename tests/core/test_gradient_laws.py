"""Laws that the gradients of every family keep."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from flink_ol.core.config import Features, Learning, LinearModel, Model
from flink_ol.core.learner import Learner
from flink_ol.core.losses import SECTIONS
from flink_ol.core.samples import Samples
from flink_ol.core.state import Delta, State
from tests.core import tasks
from tests.core.laws import NAN, same
from tests.core.streams import KEYS, random_samples, samples_of
from tests.core.tasks import TASKS

MODELS: dict[str, Model] = {"linear": LinearModel()}
FAR_OFF = KEYS[3]  # about 1000: no loss is straight within a step of that size
every_model = pytest.mark.parametrize("family", MODELS)
OPTIMIZERS = [name for name in tasks.OPTIMIZERS if "adaptive" not in name]


def settings_of(loss: str, family: str, **rest: object) -> Learning:
    task = SECTIONS[loss].TASKS[0]
    fields = {"model": MODELS[family], "loss": SECTIONS[loss](), "seed": 5, **rest}
    return tasks.learning(task, "sgd", **fields)


def suited(settings: Learning, count: int, seed: int, **rest: bool) -> Samples:
    """Random samples whose labels suit the loss."""
    samples = random_samples(settings, count, seed, **rest)
    if settings.chosen_loss.name == "poisson":
        samples.labels[:] = np.abs(np.round(samples.labels))
    if settings.features.scale == "none":
        samples.values[samples.keys == FAR_OFF] -= 1000.0
    return samples


def begun(learner: Learner, count: int = 40) -> State:
    """A state with statistics and parameters that are no longer the first."""
    state = learner.initial()
    learner.learn(state, suited(learner.learning, count, seed=31, weighted=True), NAN, 1.0)
    return state


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


PARAMETERS = ("weights", "intercept", "factors", "bias")


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


def assert_equal_bits(one: Delta, other: Delta) -> None:
    assert np.array_equal(one.keys, other.keys)
    assert list(one.arrays) == list(other.arrays)
    for name, array in one.arrays.items():
        assert array.tobytes() == other.arrays[name].tobytes(), name


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


@pytest.mark.parametrize("task", TASKS)
@every_model
def test_one_sample_steps_as_it_is_learned(family: str, task: str) -> None:
    check_one_sample(tasks.learning(task, "sgd", False, model=MODELS[family]))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "model", [LinearModel(clip_value=0.05), LinearModel(clip_norm=0.1, clip_value=0.04)]
)
@pytest.mark.parametrize("intercept", [True, False])
def test_a_sample_is_clipped_as_where_it_is_learned(model: LinearModel, intercept: bool) -> None:
    features = Features(scale="none", intercept=intercept)
    check_one_sample(tasks.learning("multiclass", "sgd", model=model, features=features))


def check_one_sample(settings: Learning) -> None:
    learner = Learner(settings)
    samples = suited(settings, 25, seed=37, weighted=True)
    stepped = learner.initial()
    stepped.slots(samples.keys)
    label = NAN
    for i in range(len(samples)):
        sample = samples.rows(i, i + 1)
        learned = stepped.copy()
        sums = learner.learn(learned, sample, label, 1.5)
        delta, sums_of_gradient = learner.gradient(stepped, sample, label)
        touched = learner.step(stepped, [delta], 1.0, 1.5)
        assert np.array_equal(touched, stepped.vocabulary.find(delta.keys))
        for spec in learner.specs:
            found, expected = stepped.rows(spec.name), learned.rows(spec.name)
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13, err_msg=spec.name)
        for key, array in sums.items():
            np.testing.assert_allclose(sums_of_gradient[key], array, rtol=1e-12)
        label = float(sample.labels[0])


@pytest.mark.parametrize("name", OPTIMIZERS)
@every_model
def test_a_step_merges_the_statistics_and_keeps_what_follows(family: str, name: str) -> None:
    learner = Learner(tasks.learning("binary", name, model=MODELS[family]))
    state = begun(learner)
    parts = [suited(learner.learning, 20, seed=seed) for seed in (38, 39)]
    deltas = [learner.gradient(state, part, NAN)[0] for part in parts]
    merged, kept = state.copy(), [{n: a.copy() for n, a in d.arrays.items()} for d in deltas]
    for delta in deltas:
        statistics = {n: a for n, a in delta.arrays.items() if not n.startswith(PARAMETERS)}
        learner.merge(merged, Delta(delta.keys, statistics), 1.0)
    touched = learner.step(state, deltas, 40.0, 1.0)
    for statistic in ("scaler", "steps", "baseline"):
        assert state.rows(statistic).tobytes() == merged.rows(statistic).tobytes()
    keys = list(dict.fromkeys(int(key) for delta in deltas for key in delta.keys))
    assert state.vocabulary.keys[touched].tolist() == keys
    derived = state.copy()
    learner.merge(derived, Delta(state.vocabulary.keys.copy(), {}), 1.0)
    assert same(derived, state)
    for delta, arrays in zip(deltas, kept, strict=True):
        assert_equal_bits(delta, Delta(delta.keys, arrays))


@every_model
def test_without_samples_nothing_steps(family: str) -> None:
    learner = Learner(tasks.learning("binary", "momentum", model=MODELS[family]))
    state = begun(learner)
    before = state.copy()
    empty, _ = learner.gradient(state, samples_of([], []), NAN)
    assert len(learner.step(state, [], 0.0, 1.0)) == 0
    assert len(learner.step(state, [empty, empty], 0.0, 1.0)) == 0
    assert same(state, before)


@every_model
def test_an_empty_part_adds_nothing(family: str) -> None:
    learner = Learner(tasks.learning("binary", "adam", model=MODELS[family]))
    state = begun(learner)
    twin = state.copy()
    part, _ = learner.gradient(state, suited(learner.learning, 20, seed=40), NAN)
    empty, _ = learner.gradient(state, samples_of([], []), NAN)
    learner.step(state, [part], 20.0, 1.0)
    learner.step(twin, [empty, part, empty], 20.0, 1.0)
    assert same(state, twin)


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
