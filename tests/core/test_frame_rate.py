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
    training: Training, outputs: int, features: int, ms: int = 3_000, bytes_per_s: int = PER_S
) -> list[Published]:
    """What entries publish while each of 8 workers sends an update of all features each 40 ms."""
    learning = Learning(
        task="multiclass", classes=outputs, model=MlpModel(hidden=(outputs,)), optimizer=Sgd()
    )
    learner = Learner(learning)
    machine = sequencer_of(training, learner, {WEIGHTS: LEAST_MS}, frozenset(range(8)), bytes_per_s)
    state, sequence, found, wake_ms = machine.initial(), [0] * 8, [], 0
    keys = np.arange(features, dtype=np.int64)
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
                Version(0, 0),
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
    return found


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


def test_a_frame_counts_every_feature_that_was_touched_once() -> None:
    rate, outgoing = FrameRate(SPECS, 1_000_000), Outgoing()
    for first in range(0, 3_000, 1_000):
        keys = np.arange(first, first + 2_000, dtype=np.int64)
        rate.touch(outgoing, Delta(keys, {}))
    rate.sent(outgoing, 1, LEAST_MS)
    assert outgoing.rest_ms == -(-(FIXED + ROW * 4_000) // 1_000)
    rate.sent(outgoing, 3, LEAST_MS)  # of nothing but the fixed arrays
    assert outgoing.rest_ms == 1


def test_counted_keys_are_not_those_of_the_message() -> None:
    rate, outgoing, message = FrameRate(SPECS, 1_000_000), Outgoing(), np.arange(900)
    rate.touch(outgoing, Delta(message[:300], {}))
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
