"""A clock that is set back delays what is published by an interval at most."""

from __future__ import annotations

import numpy as np
import pytest

from flink_ol.core.config import Learning
from flink_ol.core.learner import Learner
from flink_ol.core.ledger import Account
from flink_ol.core.messages import METRICS, SNAPSHOT, WEIGHTS, Hello, Update, Version, Worker
from flink_ol.core.modes import sequencer_of
from flink_ol.core.sequencer import (
    Append,
    Event,
    HelloArrived,
    Sequencer,
    SequencerState,
    TimeCame,
    UpdateArrived,
    WakeMe,
)
from flink_ol.core.state import Delta
from flink_ol.core.training import Bounded, Local, Sync, Training

INTERVALS = {WEIGHTS: 100, SNAPSHOT: 1_000, METRICS: 500}
WORKER = Worker(0, 5)


def published(
    machine: Sequencer, state: SequencerState, since_ms: int, ms: int, first: int
) -> dict[str, int]:
    """How long each kind took to be published, with an update each 20 ms from ``first`` on."""
    found: dict[str, int] = {}
    wake_ms, sequence = 0, first
    for now_ms in range(since_ms, since_ms + ms, 10):
        events: list[Event] = [TimeCame()] if wake_ms and now_ms >= wake_ms else []
        if now_ms % 20 == 0:
            delta = Delta(np.array([1]), {"steps": np.array([1])})
            update = Update(
                0,
                sequence,
                WORKER,
                Version(0, 0),
                Account(),
                delta,
                {},
                {},
                0,
                round=sequence - 1,
            )
            events.append(UpdateArrived(update))
            sequence += 1
        for event in events:
            for effect in machine.handle(state, event, now_ms):
                if isinstance(effect, WakeMe):
                    wake_ms = effect.at_ms
                elif isinstance(effect, Append):
                    for kind in effect.entry.publish:
                        found.setdefault(kind, now_ms - since_ms)
    return found


@pytest.mark.parametrize("training", [Local(), Bounded(), Sync(round_timeout_ms=200)])
@pytest.mark.parametrize("restarts", [False, True])
def test_nothing_waits_for_a_time_that_the_clock_has_left(
    training: Training, restarts: bool
) -> None:
    learner = Learner(Learning(task="binary"))
    machine = sequencer_of(training, learner, INTERVALS, frozenset([0]))
    state = machine.initial()
    machine.handle(state, HelloArrived(Hello(WORKER)), 10_000_000)
    assert published(machine, state, 10_000_000, 2_000, 1).keys() >= INTERVALS.keys()
    state.opened = state.opened and not restarts
    after = published(machine, state, 5_000_000, 2_000, 101)
    for kind, interval_ms in INTERVALS.items():
        assert after[kind] <= interval_ms + 40
