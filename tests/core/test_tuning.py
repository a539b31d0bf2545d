"""Settings changed while a job runs: which, from when on, and the same for everybody."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flink_ol.core import sequencer as sequencers
from flink_ol.core.config import (
    AdaGrad,
    Adam,
    ConfigError,
    Cosine,
    FmModel,
    Ftrl,
    Learning,
    LinearModel,
    MlpModel,
    Model,
    Optimizer,
    Sgd,
)
from flink_ol.core.learner import Learner
from flink_ol.core.loop import Loop
from flink_ol.core.messages import Entry, Snapshot
from flink_ol.core.model import EntryArrived
from flink_ol.core.model import Model as ModelMachine
from flink_ol.core.modes.local import LocalSequencer
from flink_ol.core.sequencer import Append, CommandRefused, SequencerState
from flink_ol.core.state import State
from flink_ol.core.training import Async, Bounded, Exact, Local, Sync, Training
from flink_ol.core.tuning import changed, fitting, tuned
from tests.core.laws import same
from tests.core.mode_job import ModeJob
from tests.core.streams import NAMED, random_samples
from tests.core.test_learner import agree
from tests.core.test_modes import binary, inputs, run, whole
from tests.core.test_schedules import LEARNER, same_arrays, steps
from tests.core.test_schedules import run as run_schedule
from tests.core.witness import Witness

NAN = float("nan")


def setting(values: dict[str, Any]) -> dict[str, Any]:
    return {"command": "set", "id": "a", "values": values}


def regression(optimizer: Optimizer, model: Model | None = None) -> Learning:
    return Learning(task="regression", optimizer=optimizer, model=model or LinearModel())


def loop_of(learning: Learning) -> Loop:
    return Loop(Learner(learning), "job", "hash", lambda: 0)


def state_of(learner: Learner, snapshot: Snapshot) -> State:
    return ModelMachine(learner, "job", "hash").restored(snapshot).arrays


CHANGES: dict[str, tuple[Optimizer, dict[str, Any]]] = {
    "sgd": (Sgd(learning_rate=0.01), {"optimizer.learning_rate": 0.03, "model.l2": 0.01}),
    "sgd-intercept": (Sgd(), {"optimizer.intercept_learning_rate": 0.002, "model.l1": 0.001}),
    "sgd-clip": (Sgd(), {"model.clip_norm": 0.5, "model.clip_value": 0.3}),
    "sgd-cosine": (Sgd(schedule=Cosine(samples=500)), {"optimizer.schedule.samples": 90}),
    "adagrad": (AdaGrad(), {"optimizer.learning_rate": 0.03, "optimizer.eps": 1e-3}),
    "adam": (Adam(), {"optimizer.beta_1": 0.5}),
    "ftrl-late": (Ftrl(refresh="late"), {"optimizer.alpha": 0.5, "optimizer.l1": 0.2}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_tuned_loop_equals_a_plain_loop_that_changes_at_that_sample(name: str) -> None:
    optimizer, values = CHANGES[name]
    learning = regression(optimizer)
    samples = random_samples(learning, 120, seed=3)
    loop, witness = loop_of(learning), Witness(learning)
    for batch in (samples.rows(0, 30), samples.rows(30, 60)):
        loop.batch(0, batch)
    assert loop.command(setting(values)) is None
    loop.batch(0, samples.rows(60, 120))
    witness.learn(samples.rows(0, 60))
    witness.learning = tuned(learning, values)
    witness.learn(samples.rows(60, 120))
    untouched = Witness(learning)
    untouched.learn(samples)
    assert untouched.weights != witness.weights

    snapshot = loop.snapshot()
    agree(Learner(witness.learning), state_of(Learner(learning), snapshot), witness)
    assert snapshot.learning == witness.learning.to_json()


@pytest.mark.parametrize("model", [LinearModel(), FmModel(factors=3), MlpModel(hidden=(4,))])
def test_weights_of_ftrl_follow_anew_when_its_settings_change(model: Model) -> None:
    learning = regression(Ftrl(alpha=0.1, l1=0.01), model)
    values = {"optimizer.alpha": 0.4, "optimizer.l1": 0.3, "optimizer.l2": 0.2}
    loop = loop_of(learning)
    loop.batch(0, random_samples(learning, 80, seed=4))
    before = loop.snapshot().frame.arrays
    loop.command(setting(values))
    after = loop.snapshot().frame.arrays
    weights, prefix = ("weights_1", "weights_1_") if model.family == "mlp" else ("weights", "")
    z, n = after[f"{prefix}z"], after[f"{prefix}n"]
    assert np.array_equal(before[f"{prefix}z"], z)
    expected = -np.sign(z) * np.maximum(np.abs(z) - 0.3, 0.0)
    expected /= (1.0 + np.sqrt(n)) / 0.4 + 0.2
    np.testing.assert_allclose(after[weights], expected, rtol=1e-12, atol=1e-15)
    assert not np.array_equal(before[weights], after[weights])


def test_features_with_rates_of_their_own_keep_them_when_the_rate_changes() -> None:
    learning = regression(Sgd(learning_rate=0.01, feature_learning_rates={NAMED: 0.02}))
    values = {"optimizer.learning_rate": 0.001}
    samples = random_samples(learning, 100, seed=5)
    loop, witness = loop_of(learning), Witness(learning)
    loop.batch(0, samples.rows(0, 50))
    witness.learn(samples.rows(0, 50))
    loop.command(setting(values))
    loop.batch(0, samples.rows(50, 100))
    witness.learning = tuned(learning, values)
    witness.learn(samples.rows(50, 100))
    agree(Learner(witness.learning), state_of(Learner(learning), loop.snapshot()), witness)
    loop.command(setting({f"optimizer.feature_learning_rates.{NAMED}": 0.005}))
    assert loop.snapshot().learning["optimizer"]["feature_learning_rates"] == {NAMED: 0.005}


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a rate out of range": ({"optimizer.learning_rate": 0.0}, "greater than 0"),
    "no number": ({"optimizer.learning_rate": "fast"}, "a number"),
    "a truth value": ({"optimizer.warm_up": True}, "a number"),
    "a fraction of a sample": ({"optimizer.warm_up": 1.5}, "an integer"),
    "null where arrays would change": ({"optimizer.intercept_learning_rate": None}, "a number"),
    "a name": ({"optimizer.name": "adam"}, "one of the settings optimizer.learning_rate"),
    "another schedule": ({"optimizer.schedule.name": "step"}, "one of the settings"),
    "an unknown feature": ({"optimizer.feature_learning_rates.b": 0.1}, "one of the settings"),
    "structure": ({"model.family": "fm"}, "one of the settings"),
    "another section": ({"training.workers": 2}, "one of the settings"),
    "one right, one wrong": ({"model.l2": 0.1, "model.l1": -1.0}, "at least 0"),
    "nothing": ({}, "at least one setting"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_set_is_refused_with_its_reason_and_changes_nothing(name: str) -> None:
    values, reason = REFUSED[name]
    machine = LocalSequencer(regression(Sgd()), {"weights": 0, "metrics": 0})
    state = SequencerState()
    machine.handle(state, sequencers.CommandArrived(setting({"model.l1": 0.5})), 1)
    refused, append = machine.handle(state, sequencers.CommandArrived(setting(values)), 2)
    assert isinstance(refused, CommandRefused)
    assert isinstance(append, Append)
    assert append.entry.publish == {"metrics"}
    assert append.entry.command is not None
    assert append.entry.command["id"] == "a"
    assert reason in append.entry.command["refused"]
    assert append.entry.overrides == state.overrides == {"model.l1": 0.5}


def test_settings_that_contradict_each_other_are_refused() -> None:
    learning = regression(Ftrl(), FmModel())
    overrides = changed(learning, {}, {"optimizer.l2": 0})
    assert overrides == {"optimizer.l2": 0.0}
    with pytest.raises(ConfigError, match=r"optimizer\.beta"):
        changed(learning, overrides, {"optimizer.beta": 0.0})


def test_a_setting_of_the_specification_is_no_override() -> None:
    learning = regression(Sgd(learning_rate=0.02))
    overrides = changed(learning, {}, {"optimizer.learning_rate": 1, "model.clip_norm": 3})
    assert overrides == {"model.clip_norm": 3.0, "optimizer.learning_rate": 1.0}
    back = {"optimizer.learning_rate": 0.02, "model.clip_norm": None}
    assert changed(learning, overrides, back) == {}


def test_a_job_that_goes_on_lets_go_what_was_set_and_is_not_there_any_more() -> None:
    before, after = regression(Sgd(schedule=Cosine(samples=500))), regression(Sgd())
    wanted = {"optimizer.schedule.samples": 90, "optimizer.learning_rate": 0.03}
    overrides = changed(before, {}, wanted)
    kept = {"optimizer.learning_rate": 0.03}
    assert fitting(after, overrides) == kept
    loop = loop_of(before)
    assert loop.command(setting(wanted)) is None
    loop.batch(0, random_samples(before, 20, seed=2))
    machine = ModelMachine(Learner(after), "job", "hash")
    state = machine.restored(loop.snapshot())  # as the savepoint has it, and then its log
    assert loop._last is not None
    later = loop._last.version._replace(number=99)
    machine.handle(state, EntryArrived(loop._last._replace(version=later)))
    sequencer = LocalSequencer(after, {})
    ordered = SequencerState(overrides=dict(overrides))
    (entry,) = appended(sequencer, ordered, setting({"model.l2": 0.5}))
    assert ordered.overrides == entry.overrides == {**kept, "model.l2": 0.5}


def appended(
    sequencer: LocalSequencer, state: SequencerState, command: dict[str, Any]
) -> list[Entry]:
    arrived = sequencers.CommandArrived(command)
    effects = sequencer.handle(state, arrived, 1_000)
    return [effect.entry for effect in effects if isinstance(effect, Append)]


TUNE = st.tuples(st.just("tune"), st.sampled_from([0.02, 0.05, 0.2, -1.0]))


@settings(max_examples=100)
@given(st.lists(st.one_of(steps, TUNE), max_size=60))
def test_settings_come_through_crashes_with_the_log(schedule: list) -> None:
    simulation = run_schedule(schedule)
    simulation.drain()
    state = simulation.model_state
    assert state.overrides == simulation.sequencer_state.overrides
    for told in simulation.trainers:
        if told.greeted:
            assert told.overrides == state.overrides
    replica = ModelMachine(LEARNER, "simulated", "hash", publishes=False)
    replayed = replica.initial()
    for number, entry in enumerate(simulation.log):
        if number % 5 == 4:  # as a restart does it, from what is stored
            replayed = replica.restored(replica.snapshot(replayed, 0))
        replica.handle(replayed, EntryArrived(entry))
    assert same_arrays(replayed.arrays, state.arrays)
    assert replayed.overrides == state.overrides


@pytest.mark.parametrize(
    "training",
    [
        Local(workers=2),
        Sync(workers=2, round_samples=16),
        Bounded(workers=2),
        Async(workers=2),
        Exact(workers=2),
    ],
    ids=lambda training: training.mode,
)
def test_every_mode_learns_by_what_was_set_through_crashes(training: Training) -> None:
    job = ModeJob(Learner(binary()), training, inputs(320, 320))
    for partition in job.inputs:
        job.feed(partition, 160)
    job.settle()
    job.set({"optimizer.learning_rate": 1e-15})
    job.settle()
    job.checkpoint()
    before = {name: array.copy() for name, array in job.arrays().items()}
    assert np.abs(before["weights"]).max() > 0.05
    run(job, seed=5, crashes=3, late=True)
    job.tick(10_000)  # bounded waits for nobody who is idle
    job.settle()
    assert job.state.ledger == whole(job)
    np.testing.assert_allclose(job.arrays()["weights"], before["weights"], atol=1e-9)
    np.testing.assert_allclose(job.arrays()["intercept"], before["intercept"], atol=1e-9)
    job.set({"optimizer.learning_rate": 0.1})
    assert job.state.overrides == {}


def test_a_state_of_another_layout_is_not_taken_over() -> None:
    state = Learner(regression(Sgd())).initial()
    with pytest.raises(AssertionError, match="layout"):
        Learner(regression(AdaGrad())).take_over(state)


def test_taking_over_with_the_same_settings_changes_no_bit() -> None:
    learner = Learner(regression(Ftrl(), MlpModel(hidden=(4,))))
    state = learner.initial()
    samples = random_samples(learner.learning, 50, seed=6)
    learner.mark(state, samples)
    learner.learn(state, samples, NAN, 1.0)
    before = state.copy()
    learner.take_over(state)
    assert same(state, before)
