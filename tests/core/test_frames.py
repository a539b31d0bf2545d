"""Frames of changes: which they are, and that a trainer fed with them has what whole ones give."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from flink_ol.core import trainer
from flink_ol.core.frames import Frames
from flink_ol.core.learner import Learner
from flink_ol.core.messages import Frame, Hello, Update, Version, Worker
from flink_ol.core.modes.local import LocalTrainer
from flink_ol.core.state import ArraySpec, Delta, State
from flink_ol.core.trainer import replica
from tests.core.frame_job import ME, SETTINGS, Job, batch, learn, show, updates

NAN = float("nan")


def assert_same(one: State, other: State, rtol: float = 1e-9) -> None:
    """Equal by keys; rows that only one has are as new keys begin."""
    keys = np.union1d(one.vocabulary.keys, other.vocabulary.keys)
    ours, theirs = ((twin := state.copy()).values(twin.slots(keys)) for state in (one, other))
    for name, array in ours.arrays.items():
        np.testing.assert_allclose(
            array, theirs.arrays[name], rtol=rtol, atol=rtol * 1e-2, err_msg=name
        )
    waiting = np.union1d(one.waiting.content().keys, other.waiting.content().keys)
    assert np.array_equal(one.waiting.of(waiting), other.waiting.of(waiting))


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("seed", range(4))
def test_changes_give_what_whole_frames_give_however_late_they_come(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    learner = Learner(SETTINGS[name])
    machine, job = LocalTrainer(learner), Job(learner)
    by_changes = machine.initial(ME)
    job.hello()
    sent: list[Update] = []
    read = changes = 0
    for number in range(40):
        partition = int(rng.integers(2))
        sent += updates(learn(machine, by_changes, number, partition))
        for _ in range(int(rng.integers(4))):
            if sent:
                job.take(sent.pop(0))
        for _ in range(int(rng.integers(4))):
            if read == len(job.frames):
                break
            show(machine, by_changes, job.frames[read])
            changes += job.frames[read].parent is not None
            read += 1
            whole = replica.rebuilt(learner, job.wholes[read - 1], by_changes.pending)
            assert by_changes.version == job.wholes[read - 1].version
            assert_same(by_changes.replica, whole)
    assert changes > 5
    assert by_changes.orphans == 0


@pytest.mark.parametrize("name", SETTINGS)
def test_without_pending_updates_changes_give_the_bits_of_whole_frames(name: str) -> None:
    learner = Learner(SETTINGS[name])
    machine, job = LocalTrainer(learner), Job(learner)
    state = machine.initial(ME)
    job.hello()
    show(machine, state, job.frames[0])
    for number in range(30):
        for update in updates(learn(machine, state, number)):
            job.take(update)
        show(machine, state, job.frames[-1])
        assert not state.pending
        assert_same(state.replica, replica.rebuilt(learner, job.wholes[-1], []), rtol=0.0)
    assert sum(frame.parent is not None for frame in job.frames) > 5


def test_one_worker_fed_with_changes_equals_a_plain_loop() -> None:
    learner = Learner(SETTINGS["standardised sgd"])
    machine, job = LocalTrainer(learner), Job(learner)
    state, plain, label = machine.initial(ME), learner.initial(), NAN
    job.hello()
    show(machine, state, job.frames[0])
    for number in range(40):
        samples = batch(number)
        learner.mark(plain, samples)
        learner.learn(plain, samples, label, 1.0)
        label = float(samples.labels[-1])
        for update in updates(learn(machine, state, number)):
            job.take(update)
        if number % 3 == 0:
            for frame in job.frames:
                show(machine, state, frame)
    assert_same(job.state.arrays, plain)
    assert sum(frame.parent is not None for frame in job.frames) > 5


def test_a_lost_change_is_waited_out_asked_about_once_and_mended() -> None:
    learner = Learner(SETTINGS["standardised sgd"])
    machine, job = LocalTrainer(learner), Job(learner)
    state = machine.initial(ME)
    job.hello()
    learn(machine, state, 0)  # says hello
    show(machine, state, job.frames[0])
    sent = [update for n in range(1, 30) for update in updates(learn(machine, state, n))]
    for update in (*state.pending[:1], *sent):
        job.take(update)
    parents = [frame.parent for frame in job.frames]
    lost = next(i for i, both in enumerate(pairwise(parents)) if None not in both)
    orphans = next(i for i in range(lost + 1, len(job.frames)) if job.frames[i].parent is None)
    for frame in job.frames[:lost]:
        show(machine, state, frame)
    before = state.version
    told = [show(machine, state, frame) for frame in job.frames[lost + 1 : orphans]]
    assert told == [[trainer.SayHello(Hello(ME))], *[[]] * (len(told) - 1)]
    assert (state.version, state.orphans) == (before, orphans - lost - 1)
    assert state.orphans > 0
    job.hello()
    assert job.frames[-1].parent is None
    show(machine, state, job.frames[-1])
    assert (state.version, state.waits) == (job.frames[-1].version, False)
    assert_same(state.replica, replica.rebuilt(learner, job.wholes[-1], state.pending))


def test_a_change_that_leaves_out_what_it_acknowledges_waits_for_a_whole_frame() -> None:
    learner = Learner(SETTINGS["standardised sgd"])
    machine, job = LocalTrainer(learner), Job(learner)
    state = machine.initial(ME)
    job.hello()
    for number in range(8):
        for update in updates(learn(machine, state, number)):
            job.take(update)
    for frame in job.frames:
        show(machine, state, frame)
    (update,) = updates(learn(machine, state, 8))
    spoilt = {**update.delta.arrays, "intercept": np.array([np.nan])}
    job.take(update._replace(delta=update.delta._replace(arrays=spoilt)))
    assert job.frames[-1].parent == state.version
    show(machine, state, job.frames[-1])
    assert state.waits
    assert state.pending == [update]
    job.hello()
    show(machine, state, job.frames[-1])
    assert not state.pending
    assert_same(state.replica, job.state.arrays)


def test_ghosts_and_old_changes_are_dropped_and_counted() -> None:
    learner = Learner(SETTINGS["standardised sgd"])
    machine, job = LocalTrainer(learner), Job(learner)
    state = machine.initial(ME)
    job.hello()
    show(machine, state, job.frames[0])
    for number in range(8):
        for update in updates(learn(machine, state, number)):
            job.take(update)
        show(machine, state, job.frames[-1])
    last = next(frame for frame in reversed(job.frames) if frame.parent is not None)
    show(machine, state, last)
    show(machine, state, last._replace(workers=(Worker(0, 12),), version=Version(2**40, 1)))
    assert (state.stale, state.ghosts, state.orphans, state.waits) == (1, 1, 0, False)


def test_a_restored_chain_gives_the_bits_of_the_life_before() -> None:
    learner = Learner(SETTINGS["standardised sgd"])
    machine, job = LocalTrainer(learner), Job(learner)
    state = machine.initial(ME)
    job.hello()
    chain: list[Frame] = []
    for number in range(24):
        for update in updates(learn(machine, state, number)):
            job.take(update)
        show(machine, state, job.frames[-1])
        chain = [*(chain if job.frames[-1].parent else []), job.frames[-1]]
    while len(chain) < 3:
        for update in updates(learn(machine, state, number := number + 1)):
            job.take(update)
        show(machine, state, job.frames[-1])
        chain = [*(chain if job.frames[-1].parent else []), job.frames[-1]]
    (pending,) = updates(learn(machine, state, number + 1))
    other = machine.initial(Worker(0, 12))
    for frame in chain:
        machine.handle(other, trainer.FrameRestored(frame))
    progress = trainer.Progress(pending.sequence, 1.0)
    machine.handle(other, trainer.PartitionRestored(0, progress, [*state.pending]))
    assert other.version == state.version
    assert_same(other.replica, state.replica, rtol=1e-12)


def test_names_travel_until_a_frame_has_the_feature_whole_or_change() -> None:
    learner = Learner(SETTINGS["standardised sgd"])
    machine, job = LocalTrainer(learner), Job(learner)
    state = machine.initial(ME)
    job.hello()
    known: set[int] = set()
    for number in range(20):
        for update in updates(learn(machine, state, number)):
            assert set(update.names) == set(update.delta.keys.tolist()) - known
            job.take(update)
        if number % 2:
            for frame in job.frames:
                show(machine, state, frame)
            known = set(job.wholes[-1].keys.tolist())


SPECS = (
    ArraySpec("weights", (2,), "mean"),
    ArraySpec("bias", (2,), "mean", per_feature=False),
)


def touched(frames: Frames, arrays: State, *keys: int) -> Delta:
    arrays.slots(np.array(keys, np.int64))
    frames.touch(arrays, Delta(np.array(keys, np.int64), {}))
    return frames.next(Version(1, arrays.vocabulary.size), (ME,), arrays).values


def test_a_change_holds_what_was_touched_since_the_last_frame_once() -> None:
    arrays, frames = State(SPECS, np.arange(100, dtype=np.int64)), Frames(small_bytes=0)
    assert len(touched(frames, arrays, 5).keys) == 100
    frames.touch(arrays, Delta(np.array([7, 3], np.int64), {}))
    assert touched(frames, arrays, 3, 200).keys.tolist() == [7, 3, 200]
    assert touched(frames, arrays, 3).keys.tolist() == [3]


def test_small_models_new_workers_and_a_new_start_have_whole_frames() -> None:
    arrays = State(SPECS, np.arange(100, dtype=np.int64))
    small, large = Frames(), Frames(small_bytes=0)
    other = (ME, Worker(1, 5))
    for number in range(3):
        assert small.next(Version(1, number), (ME,), arrays).parent is None
        parent = large.next(Version(1, number), (ME,), arrays).parent
        assert parent == (Version(1, number - 1) if number else None)
    assert large.next(Version(1, 3), other, arrays).parent is None
    assert large.next(Version(1, 4), other, arrays).parent == Version(1, 3)
    large.start_over()
    assert large.next(Version(1, 5), other, arrays).parent is None


def test_whole_frames_come_when_the_changes_outweigh_the_model() -> None:
    rng = np.random.default_rng(0)
    arrays, frames = State(SPECS, np.arange(1000, dtype=np.int64)), Frames(small_bytes=0)
    changed = whole = 0
    for _ in range(400):
        keys = rng.choice(1000, 25, replace=False)
        count = len(touched(frames, arrays, *keys.tolist()).keys)
        changed, whole = changed + (count == 25), whole + (count == 1000)
    assert changed + whole == 400
    assert 8 <= whole <= 11  # 25 of 1,000 rows: one in forty
