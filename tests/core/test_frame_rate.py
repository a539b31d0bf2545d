"""Weights frames go out no faster than their bytes, to all trainers together, may."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest

from flink_ol.core.config import Learning, MlpModel, Sgd
from flink_ol.core.frame_rate import FrameRate, Outgoing
from flink_ol.core.learner import Learner
from flink_ol.core.ledger import Account
from flink_ol.core.messages import WEIGHTS, Hello, Update, Version, Worker
from flink_ol.core.modes import sequencer_of
from flink_ol.core.sequencer import (
    Append,
    Event,
    HelloArrived,
    TimeCame,
    UpdateArrived,
    WakeMe,
)
from flink_ol.core.state import ArraySpec, Delta
from flink_ol.core.training import Async, Bounded, Exact, Local, Sync, Training
from tests.core.mode_job import ModeJob
from tests.core.simulation import samples

LEAST_MS, PER_S = 20, 10 << 20
SPECS = (ArraySpec("weights", (15,), "mean"), ArraySpec("bias", (16,), "mean", per_feature=False))
ROW, FIXED = 8 + 15 * 8, 16 * 8


class Published(NamedTuple):
    now_ms: int
    publish: frozenset[str]
    updates: int


def publications(
    training: Training,
    outputs: int,
    features: int,
    ms: int = 3_000,
    bytes_per_s: int = PER_S,
    takes_ms: int = 0,
) -> list[Published]:
    """What entries publish while each of 8 workers sends an update of all features each 40 ms.

    ``takes_ms``: of a worker for a frame, one after the other.
    """
    learning = Learning(
        task="multiclass", classes=outputs, model=MlpModel(hidden=(outputs,)), optimizer=Sgd()
    )
    learner = Learner(learning)
    machine = sequencer_of(training, learner, {WEIGHTS: LEAST_MS}, frozenset(range(8)), bytes_per_s)
    state, sequence, found, wake_ms = machine.initial(), [0] * 8, [], 0
    keys = np.arange(features, dtype=np.int64)
    taken, free_ms = [(0, Version(0, 0))], 0  # frames, and from when on all workers have them
    for now_ms in range(1, ms):
        events: list[Event] = []
        if now_ms <= 8:
            events.append(HelloArrived(Hello(Worker(now_ms - 1, 5))))
        elif now_ms % 5 == 0:
            partition = now_ms // 5 % 8
            sequence[partition] += 1
            delta = Delta(keys, {"steps": np.array([1])})
            update = Update(
                partition,
                sequence[partition],
                Worker(partition, 5),
                max(version for at_ms, version in taken if at_ms <= now_ms),
                Account(),
                delta,
                {},
                {},
                0,
                round=sequence[partition] - 1,
            )
            events.append(UpdateArrived(update))
        if wake_ms and now_ms >= wake_ms:
            wake_ms = 0
            events.append(TimeCame())
        for event in events:
            for effect in machine.handle(state, event, now_ms):
                if isinstance(effect, WakeMe):
                    wake_ms = effect.at_ms
                elif isinstance(effect, Append):
                    entry = effect.entry
                    found.append(Published(now_ms, entry.publish, len(entry.updates)))
                    if WEIGHTS in entry.publish:
                        free_ms = max(free_ms, now_ms) + takes_ms
                        taken.append((free_ms, entry.version))
    return found


def update_of(keys: np.ndarray) -> Update:
    return Update(0, 1, Worker(0, 5), Version(7, 0), Account(), Delta(keys, {}), {}, {}, 0)


def gaps(found: list[Published]) -> list[int]:
    """Milliseconds between frames, those of the beginning left out."""
    times = [one.now_ms for one in found if WEIGHTS in one.publish and one.now_ms > 200]
    return [after - before for before, after in pairwise(times)]


@pytest.mark.parametrize("training", [Local(workers=8), Async(workers=8), Bounded(workers=8)])
def test_frames_of_megabytes_have_as_long_as_their_bytes_take(training: Training) -> None:
    found = gaps(publications(training, 100, 1_000))
    # 1,000 rows of 100 weights and a key, to 8 trainers
    least_ms = 1000 * 8 * 1_000 * (100 + 1) * 8 / PER_S
    assert len(found) >= 2
    assert all(least_ms <= gap <= 1.15 * least_ms for gap in found)


@pytest.mark.parametrize("training", [Local(workers=8), Async(workers=8), Bounded(workers=8)])
def test_small_frames_come_at_the_interval_whatever_their_bytes(training: Training) -> None:
    limited = publications(training, 3, 100)
    assert limited == publications(training, 3, 100, bytes_per_s=1 << 60)
    assert set(gaps(limited)) == {LEAST_MS}


def test_rounds_end_with_a_frame_and_exact_steps_wait_for_none() -> None:
    rounds = publications(Sync(workers=8), 100, 2_000)
    assert all(WEIGHTS in one.publish for one in rounds)
    assert sum(one.updates > 0 for one in rounds) > 70  # one in 40 ms
    assert not any(WEIGHTS in one.publish and one.now_ms > 200 for one in rounds if not one.updates)


def test_a_hello_is_answered_at_once() -> None:
    training = Local(workers=8)
    found = [one for one in publications(training, 100, 2_000) if one.now_ms <= 8]
    assert [one.now_ms for one in found] == list(range(1, 9))
    assert all(one.publish == {WEIGHTS, "whole"} for one in found)


@pytest.mark.parametrize("training", [Local(workers=8), Async(workers=8), Bounded(workers=8)])
def test_frames_do_not_queue_before_trainers_that_are_slow_to_take_them(training: Training) -> None:
    found = publications(training, 3, 100, ms=12_000, takes_ms=400)
    frames = [one.now_ms for one in found if WEIGHTS in one.publish]
    # at an interval of 20 ms 600 would have been sent, and 30 taken
    assert 400 * len(frames) < 12_000 + 25 * 400
    assert 400 * len(frames) > 12_000 / 2  # and the trainers do not starve


@pytest.mark.parametrize("training", [Local(workers=8), Async(workers=8)])
def test_trainers_that_are_half_a_second_late_are_not_waited_for(training: Training) -> None:
    delayed = publications(training, 3, 100, takes_ms=LEAST_MS)
    assert set(gaps(delayed)) == {LEAST_MS}


def test_a_trainer_that_falls_silent_while_it_is_behind_is_given_up() -> None:
    learner = Learner(Learning(task="binary"))
    machine = sequencer_of(Local(workers=2), learner, {WEIGHTS: 100}, frozenset({0, 1}), PER_S)
    state, at_ms = machine.initial(), []
    for index in range(2):
        machine.handle(state, HelloArrived(Hello(Worker(index, 5))), 1)
    for number in range(1, 200):
        for partition in range(2 if number < 3 else 1):  # the second one never takes a frame
            delta = Delta(np.arange(3), {"steps": np.array([1])})
            base = state.version if partition == 0 else Version(0, 0)
            worker, now_ms = Worker(partition, 5), 1_000 * number
            told = Update(partition, number, worker, base, Account(), delta, {}, {}, 0)
            for effect in machine.handle(state, UpdateArrived(told), now_ms):
                if isinstance(effect, Append) and WEIGHTS in effect.entry.publish:
                    at_ms.append(now_ms)
    assert all(after - before <= 5_000 for before, after in pairwise(at_ms))
    assert len(at_ms) > 30


def test_a_frame_counts_every_feature_that_was_touched_once() -> None:
    rate, outgoing = FrameRate(SPECS, 1_000_000), Outgoing()
    for first in range(0, 3_000, 1_000):
        keys = np.arange(first, first + 2_000, dtype=np.int64)
        rate.touch(outgoing, update_of(keys), 0)
    rate.sent(outgoing, 1, LEAST_MS, Version(7, 1), 0)
    assert outgoing.rest_ms == -(-(FIXED + ROW * 4_000) // 1_000)
    rate.sent(outgoing, 3, LEAST_MS, Version(7, 2), 0)  # of nothing but the fixed arrays
    assert outgoing.rest_ms == 1


def test_counted_keys_are_not_those_of_the_message() -> None:
    rate, outgoing, message = FrameRate(SPECS, 1_000_000), Outgoing(), np.arange(900)
    rate.touch(outgoing, update_of(message[:300]), 0)
    assert not any(np.shares_memory(keys, message) for keys in outgoing.keys)


def test_the_model_is_the_same_at_any_rate_where_results_repeat() -> None:
    learner = Learner(Learning(task="binary"))
    given = {partition: samples(partition, 0, 80) for partition in range(3)}
    for training in (Sync(workers=2, round_samples=8, round_timeout_ms=None), Exact(workers=2)):
        found = []
        for bytes_per_s in (None, 1_000):
            job = ModeJob(learner, training, given)
            job.sequencer = sequencer_of(
                training, learner, {WEIGHTS: 0, "metrics": 0}, frozenset(given), bytes_per_s
            )
            for _ in range(4):
                for partition in given:
                    job.feed(partition, 20)
                job.tick(5)
            job.settle()
            found.append(job)
        times = [[one.time_ms for one in job.log] for job in found]
        assert times[0] == times[1]
        for name, array in found[0].arrays().items():
            assert np.array_equal(array, found[1].arrays()[name]), name
