"""Random schedules of batches, crashes, ghosts and rescales against what must hold always."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from flink_ol.core.config import Features, Learning, LinearModel, Sgd
from flink_ol.core.learner import Learner
from flink_ol.core.model import EntryArrived, Model
from flink_ol.core.state import State
from tests.core.simulation import Simulation, samples

LEARNER = Learner(
    Learning(
        task="binary",
        classes=None,
        model=LinearModel(),
        features=Features(scale="standard"),
        optimizer=Sgd(learning_rate=0.05),
        seed=0,
    )
)

PARTITIONS = 3
workers = st.integers(0, 3)
steps = st.one_of(
    st.tuples(st.just("batch"), st.integers(0, PARTITIONS - 1), st.integers(1, 5), st.booleans()),
    st.tuples(st.just("deliver"), workers),
    st.tuples(st.just("feed_back"), workers, st.integers(1, 6)),
    st.tuples(st.just("show_again"), workers, st.integers(0, 50)),
    st.tuples(st.just("checkpoint")),
    st.tuples(st.just("crash")),
    st.tuples(st.just("rescale"), st.integers(1, 4)),
    st.tuples(st.just("tick"), st.integers(1, 60)),
)


def run(schedule: list[tuple], workers: int = 2, partitions: int = PARTITIONS) -> Simulation:
    simulation = Simulation(LEARNER, workers, partitions)
    for name, *arguments in schedule:
        if name == "batch":
            arguments[0] %= partitions
        getattr(simulation, name)(*arguments)
    return simulation


def same_arrays(one: State, other: State) -> bool:
    return np.array_equal(one.vocabulary.keys, other.vocabulary.keys) and all(
        np.array_equal(one.rows(spec.name), other.rows(spec.name)) for spec in one.specs
    )


@settings(max_examples=300, deadline=None)
@given(st.lists(steps, max_size=60), st.integers(1, 4))
def test_every_sample_is_in_the_ledger_once_whatever_happens(schedule: list, workers: int) -> None:
    simulation = run(schedule, workers)
    simulation.drain()
    counted = {
        partition: account.learned.join(account.rejected)
        for partition, account in simulation.model_state.ledger.items()
    }
    assert counted == {p: account.learned for p, account in simulation.expected().items()}


@settings(max_examples=200, deadline=None)
@given(st.lists(steps, max_size=60))
def test_versions_never_fall(schedule: list) -> None:
    simulation = run(schedule)
    versions = [entry.version for entry in simulation.sent]
    assert all(a < b for a, b in itertools.pairwise(versions))


@settings(max_examples=200, deadline=None)
@given(st.lists(steps, max_size=60))
def test_replaying_the_log_gives_the_identical_model(schedule: list) -> None:
    simulation = run(schedule)
    replica = Model(LEARNER, "simulated", "hash", publishes=False)
    state = replica.initial()
    for entry in simulation.log:
        replica.handle(state, EntryArrived(entry))
    assert same_arrays(state.arrays, simulation.model_state.arrays)
    assert state.ledger == simulation.model_state.ledger


@settings(max_examples=200, deadline=None)
@given(st.lists(steps, max_size=60))
def test_a_trainer_holds_only_frames_of_its_own_life(schedule: list) -> None:
    simulation = run(schedule)
    simulation.drain()
    newest = max((frame.version for frame in simulation.feedback), default=None)
    for state in simulation.trainers:
        if state.greeted:
            assert state.version == newest
            assert not state.pending


@settings(max_examples=150, deadline=None)
@given(st.lists(steps.filter(lambda step: step[0] != "rescale"), max_size=60))
def test_one_worker_equals_a_plain_loop_whatever_happens(schedule: list) -> None:
    schedule = [(*step[:3], False) if step[0] == "batch" else step for step in schedule]
    simulation = run(schedule, workers=1, partitions=1)
    simulation.drain()
    plain = LEARNER.initial()
    total = simulation.offsets[0]
    if total:
        LEARNER.mark(plain, samples(0, 0, total))
        LEARNER.learn(plain, samples(0, 0, total), float("nan"), 1.0)
    streamed = simulation.model_state.arrays
    assert set(plain.vocabulary.keys) == set(streamed.vocabulary.keys)
    order = streamed.vocabulary.find(plain.vocabulary.keys.copy())
    for spec in LEARNER.specs:
        ours = streamed.rows(spec.name)
        np.testing.assert_allclose(
            ours[order] if spec.per_feature else ours,
            plain.rows(spec.name),
            rtol=1e-9,
            atol=1e-12,
            err_msg=spec.name,
        )
