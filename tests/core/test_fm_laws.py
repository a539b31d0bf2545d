"""What factorization machines share with every family, and their derivatives by differences."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from flink_ol.core import losses
from flink_ol.core.config import Features, FmModel, Learning, LinearModel, Sgd, Task
from flink_ol.core.learner import Learner
from flink_ol.core.losses import SECTIONS
from flink_ol.core.samples import Samples
from tests.core import tasks
from tests.core.laws import (
    NAN,
    assert_order_does_not_matter,
    assert_restored,
    own_and_folded,
    same,
)
from tests.core.streams import KEYS, batches, random_samples, samples_of
from tests.core.tasks import TASKS

MODEL = FmModel(factors=3, initial_deviation=0.2, l2=0.01, factors_l2=0.02)
each = pytest.mark.parametrize(
    "settings",
    [
        pytest.param(tasks.learning(task, name, model=MODEL, seed=3), id=f"{task}-{name}")
        for task in TASKS
        for name in tasks.OPTIMIZERS
        # adaptive steps are those of linear models
        if not name.startswith("adaptive")
    ],
)


@pytest.mark.parametrize("task", TASKS)
def test_a_step_goes_along_the_central_differences_of_every_parameter(task: Task) -> None:
    settings = Learning(
        task=task,
        classes=3 if task == "multiclass" else None,
        model=FmModel(factors=2, initial_deviation=0.5),
        features=Features(scale="none"),
        optimizer=Sgd(learning_rate=1.0, intercept_learning_rate=1.0),
        seed=11,
    )
    learner, loss = Learner(settings), settings.chosen_loss
    state = learner.initial()
    # the pair of a key that stands twice has the same factors on both sides
    values = zip([4, 5, 6, 5], [0.5, -1.25, 2.0, 0.75], strict=True)
    sample = samples_of([[(key, value, True) for key, value in values]], [1.0], [1.5])
    state.slots(sample.keys)
    rng = np.random.default_rng(1)
    state.arrays["weights"][:3] = rng.normal(size=(3, settings.outputs))
    state.arrays["intercept"][:] = rng.normal(size=settings.outputs)
    before = state.copy()
    gradients = np.empty(settings.outputs)
    losses.gradients(loss.code, loss.parameters, learner.scores(before, sample)[0], 1.0, gradients)
    learner.learn(state, sample, NAN, 1.0)

    h = 1e-3  # the score is a polynomial of second degree, so differences are exact
    for name in ("weights", "factors", "intercept"):
        stepped, rows = state.rows(name), before.rows(name)
        for place in np.ndindex(rows.shape):
            sides = []
            for side in (h, -h):
                moved = before.copy()
                moved.arrays[name][place] += side
                sides.append(learner.scores(moved, sample)[0])
            slope = 1.5 * gradients @ (sides[0] - sides[1]) / (2.0 * h)
            assert stepped[place] - rows[place] == pytest.approx(-slope, rel=1e-9, abs=1e-11)


@pytest.mark.parametrize("name", sorted(SECTIONS))
def test_without_factors_every_loss_is_that_of_the_linear_family(name: str) -> None:
    section = SECTIONS[name]
    check_against_linear(section.TASKS[0], "adagrad", loss=section())


@pytest.mark.parametrize("optimizer", [name for name in tasks.OPTIMIZERS if "adaptive" not in name])
@pytest.mark.parametrize("task", TASKS)
def test_without_factors_every_optimizer_is_that_of_the_linear_family(
    task: Task, optimizer: str
) -> None:
    check_against_linear(task, optimizer)


def check_against_linear(task: Task, optimizer: str, **rest: object) -> None:
    almost_none = FmModel(initial_deviation=1e-30, factors_learning_rate=1e-30, l2=0.01)
    arrays: list[dict[str, np.ndarray]] = []
    for model in (LinearModel(l2=0.01), almost_none):
        settings = tasks.learning(task, optimizer, True, model=model, **rest)
        learner = Learner(settings)
        samples = random_samples(settings, 200, seed=21, weighted=True)
        if rest and settings.chosen_loss.code == losses.LOSSES["poisson"].code:
            samples.labels[:] = np.abs(np.round(samples.labels))
        state = learner.initial()
        learner.learn(state, samples, NAN, 1.5)
        arrays.append({spec.name: state.rows(spec.name) for spec in learner.specs})
        arrays[-1]["scores"] = learner.scores(state, samples)
    for name, array in arrays[0].items():
        np.testing.assert_allclose(arrays[1][name], array, rtol=1e-10, atol=1e-12, err_msg=name)
    assert np.abs(arrays[0]["weights"]).max() > 0.01


@each
def test_restoring_gives_back_every_bit(settings: Learning) -> None:
    assert_restored(settings)


@each
def test_merging_the_differences_gives_the_learners_own_state(settings: Learning) -> None:
    learner = Learner(settings)
    own, folded = own_and_folded(learner, 150)
    for spec in learner.specs:
        one, other = folded.rows(spec.name), own.rows(spec.name)
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-12, err_msg=spec.name)


@each
def test_merging_ignores_the_order_of_arrival(settings: Learning) -> None:
    assert_order_does_not_matter(settings, 120, rtol=1e-11)


@each
def test_learning_again_repeats_every_bit_also_after_a_restart(settings: Learning) -> None:
    samples = random_samples(settings, 80, seed=12)
    states = []
    for learner in (Learner(settings), pickle.loads(pickle.dumps(Learner(settings)))):
        state = learner.initial()
        learner.learn(state, samples, NAN, 1.0)
        states.append(state)
    assert same(*states)


def test_learning_in_one_batch_or_in_many_is_the_same() -> None:
    settings = tasks.learning("binary", "adam", model=MODEL)
    samples, learner = random_samples(settings, 90, seed=16, weighted=True), Learner(settings)
    whole, parts = learner.initial(), learner.initial()
    learner.learn(whole, samples, NAN, 1.0)
    for batch in batches(samples, seed=17):
        learner.learn(parts, batch, NAN, 1.0)
    for name in ("weights", "factors", "intercept", "scaler"):
        np.testing.assert_array_equal(parts.rows(name), whole.rows(name))


def test_another_seed_draws_other_factors() -> None:
    rows = []
    for seed in (1, 2):
        settings = Learning(task="binary", model=MODEL, optimizer=Sgd(), seed=seed)
        state = Learner(settings).initial()
        state.slots(KEYS)
        rows.append(state.rows("factors").copy())
    assert not np.isclose(rows[0], rows[1]).any()


@pytest.mark.parametrize("value", [1e200, -1e308])
def test_a_number_too_large_to_learn_from_shows(value: float) -> None:
    settings = tasks.learning("regression", "sgd", False, model=MODEL)
    learner, state = Learner(settings), Learner(settings).initial()
    poison: Samples = samples_of([[(1, value, True), (2, 1.0, True)]], [1.0])
    mark = learner.mark(state, poison)
    sums = learner.learn(state, poison, NAN, 1.0)
    delta = learner.difference(state, mark, poison)
    assert not (delta.finite() and all(np.isfinite(one).all() for one in sums.values()))
    learner.restore(state, mark)
    assert all(np.isfinite(state.rows(spec.name)).all() for spec in learner.specs)
