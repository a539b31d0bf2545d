"""Features that no sample touches any more are dropped, by the log's time."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flink_ol.core.config import Expiry, Features, Learning
from flink_ol.core.expiry import Activity, Touched, cut_off
from flink_ol.core.learner import Learner
from flink_ol.core.loop import Loop
from flink_ol.core.messages import Entry, Version
from flink_ol.core.model import EntryArrived, Model
from flink_ol.core.modes.local import LocalSequencer
from flink_ol.core.samples import Samples
from flink_ol.core.sequencer import SequencerState, UpdateArrived
from flink_ol.wire.model_file import decode_snapshot, encode_snapshot
from flink_ol.wire.operator_state import decode_sequencer_state, encode_sequencer_state
from tests.core.streams import samples_of
from tests.core.tasks import OPTIMIZERS
from tests.wire.messages import same

UNTOUCHED = 1_600  # a cut every 100


def learning(**rest: object) -> Learning:
    fields = {
        "task": "binary",
        "features": Features(scale="none", expiry=Expiry(untouched_ms=UNTOUCHED)),
        "optimizer": OPTIMIZERS["adagrad"],
        **rest,
    }
    return Learning(**fields)  # type: ignore[arg-type]


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000

    def __call__(self) -> int:
        return self.now


def with_features(*keys: int) -> Samples:
    return samples_of([[(key, 1.0, False) for key in keys]], [1.0])


def touched_by(steps: list[tuple[int, list[int]]]) -> tuple[Loop, dict[int, int]]:
    """A loop that learns ``steps`` of (milliseconds to wait, keys), and when each key was met."""
    clock = Clock()
    loop = Loop(Learner(learning()), "plain", "hash", clock)
    last: dict[int, int] = {}
    for wait, keys in steps:
        clock.now += wait
        loop.batch(0, with_features(*keys))
        last |= dict.fromkeys(keys, clock.now)
    return loop, last


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.integers(1, 100), st.lists(st.integers(0, 9), max_size=3, unique=True)),
        min_size=1,
        max_size=80,
    )
)
def test_what_is_kept_was_touched_lately_and_what_was_touched_lately_is_kept(
    steps: list[tuple[int, list[int]]],
) -> None:
    loop, last = touched_by(steps)
    now = 1_000_000 + sum(wait for wait, _ in steps)
    kept = set(loop.snapshot().frame.keys.tolist())
    assert {key for key, at in last.items() if now - at <= UNTOUCHED} <= kept
    # a cut is a sixteenth late, and the next one comes with the first update after it
    assert all(now - last[key] <= UNTOUCHED + 200 for key in kept)


def test_weights_and_names_go_and_the_intercept_stays() -> None:
    loop, _ = touched_by([(10, [1, 2]), *[(100, [2])] * 20])
    snapshot = loop.snapshot()
    assert snapshot.frame.keys.tolist() == [2]
    assert dict(snapshot.names) == {2: "feature 2"}
    assert snapshot.frame.arrays["weights"].shape == (1, 1)
    assert snapshot.frame.arrays["intercept"] != 0.0
    assert int(snapshot.frame.arrays["steps"][0]) == 21
    assert snapshot.expired == 1
    assert loop.metrics().expired == 1


def test_a_feature_that_comes_back_begins_anew() -> None:
    loop, _ = touched_by([(10, [1, 2]), *[(100, [2])] * 20, (1, [1])])
    frame = loop.snapshot().frame
    assert frame.keys.tolist() == [2, 1]
    # AdaGrad's first step is its rate, whatever the gradient; a second one would be smaller
    assert frame.arrays["weights"][1, 0] == pytest.approx(0.1, rel=1e-3)


def test_the_trainer_follows_with_the_next_frame() -> None:
    loop, _ = touched_by([(10, [1, 2]), *[(100, [2])] * 20])
    assert loop._trainer_state.replica.vocabulary.keys.tolist() == [2]


def test_an_endless_stream_of_new_features_leaves_the_model_small() -> None:
    clock = Clock()
    loop = Loop(Learner(learning()), "plain", "hash", clock)
    largest = 0
    for step in range(100):
        clock.now += 100
        rows = [[(2_000 * step + 20 * i + j, 1.0, False) for j in range(20)] for i in range(100)]
        loop.batch(0, samples_of(rows, [float(i % 2) for i in range(100)]))
        state = loop._model_state
        largest = max(largest, state.arrays.vocabulary.size)
        assert len(state.names) <= state.arrays.vocabulary.size + 2_000  # names go a cut later
        assert len(state.arrays.arrays["weights"]) <= 4 * 2_000 * 18
    assert largest <= 2_000 * 18
    assert loop._model_state.expired == 200_000 - loop._model_state.arrays.vocabulary.size


def entries_of(steps: list[tuple[int, list[int]]]) -> list[Entry]:
    clock = Clock()
    loop = Loop(Learner(learning()), "plain", "hash", clock)
    found = []
    for wait, keys in steps:
        clock.now += wait
        loop.batch(0, with_features(*keys))
        assert loop._last is not None
        found.append(loop._last)
    return found


def test_replicas_stay_equal_through_a_restart_in_the_middle() -> None:
    rng = np.random.default_rng(4)
    steps = [(int(rng.integers(1, 100)), rng.integers(0, 40, 3).tolist()) for _ in range(120)]
    entries = entries_of([(wait, sorted(set(keys))) for wait, keys in steps])
    assert any(entry.expire_before_ms for entry in entries[:60])
    assert any(entry.expire_before_ms for entry in entries[60:])
    model = Model(Learner(learning()), "plain", "hash")
    whole = model.initial()
    for entry in entries[:60]:
        model.handle(whole, EntryArrived(entry))
    stored = encode_snapshot(model.snapshot(whole, 0), {})
    again = model.restored(decode_snapshot(stored))
    assert same(model.snapshot(again, 0), model.snapshot(whole, 0))
    for entry in entries[60:]:
        model.handle(whole, EntryArrived(entry))
        model.handle(again, EntryArrived(entry))
    assert whole.expired > 0
    assert same(model.snapshot(again, 0), model.snapshot(whole, 0))


def test_an_update_under_way_brings_a_dropped_feature_back() -> None:
    entries = entries_of([(10, [1, 2]), *[(100, [2])] * 20])
    model = Model(Learner(learning()), "plain", "hash")
    state = model.initial()
    for entry in entries:
        model.handle(state, EntryArrived(entry))
    late = entries[0]._replace(version=Version(2_000_000, 99), time_ms=1_002_100)
    model.handle(state, EntryArrived(late))
    assert state.arrays.vocabulary.keys.tolist() == [2, 1]
    first = entries[0].updates[0].delta
    assert state.arrays.rows("weights")[1] == first.arrays["weights"][first.keys.tolist().index(1)]


def test_a_feature_that_an_update_under_way_brings_back_has_its_name() -> None:
    """Its trainer told the name long ago, and has frames with the feature in them: never again."""
    entries = entries_of([(10, [1, 2]), *[(100, [2])] * 20])
    model = Model(Learner(learning()), "plain", "hash")
    state = model.initial()
    for entry in entries:
        model.handle(state, EntryArrived(entry))
        if state.expired:
            break
    version = entry.version._replace(number=entry.version.number + 1)
    again = entries[0].updates[0]._replace(names={})
    late = entry._replace(version=version, updates=(again,), expire_before_ms=0)
    model.handle(state, EntryArrived(late))
    assert state.arrays.vocabulary.keys.tolist() == [2, 1]
    assert state.names.first == {1: "feature 1", 2: "feature 2"}


def test_times_that_an_older_version_did_not_write_begin_at_the_first_cut() -> None:
    touched = Touched()
    assert touched.before(3, 100, 150).tolist() == []
    touched.touch(np.array([1]), 180)
    assert touched.before(3, 170, 200).tolist() == [0, 2]
    touched.keep(np.array([1]))
    assert touched.content(2).tolist() == [180, 0]


@pytest.mark.parametrize("pause", [UNTOUCHED // 2, 10 * UNTOUCHED, 500 * UNTOUCHED])
def test_time_without_updates_does_not_count(pause: int) -> None:
    expiry, activity = Expiry(untouched_ms=UNTOUCHED), Activity()
    learned, now = [], 1_000_000  # when, and how much time in which was learned lay before
    active = 0
    cuts = []
    for gap in [*[50] * 30, pause, *[50] * 60, pause, *[50] * 60]:
        now += gap
        active += min(gap, expiry.every_ms)
        learned.append((now, active))
        if before := cut_off(expiry, activity, now):
            cuts.append(now)
            stale = {at for at, _ in learned if at < before}
            assert stale == {at for at, then in learned if active - then > UNTOUCHED}
    assert min(b - a for a, b in pairwise(cuts)) >= expiry.every_ms
    assert len(activity.pauses) <= 2


def test_a_trickle_of_samples_keeps_few_pauses() -> None:
    expiry, activity = Expiry(untouched_ms=UNTOUCHED), Activity()
    for step in range(1, 2_000):
        cut_off(expiry, activity, 1_000_000 + 5_000 * step)
    assert len(activity.pauses) <= 17


def test_a_clock_that_goes_back_drops_nothing_new() -> None:
    loop, _ = touched_by([(10, [1]), (100, [2]), (-5_000, [3]), (100, [4])])
    assert sorted(loop.snapshot().frame.keys.tolist()) == [1, 2, 3, 4]


def test_the_sequencer_goes_on_with_its_times_after_a_restart() -> None:
    entries = entries_of([(10, [1]), (700, [2])])
    sequencer, state = LocalSequencer(learning(), {}), SequencerState()
    for entry in entries:
        sequencer.handle(state, UpdateArrived(entry.updates[0]), entry.time_ms)
    assert state.activity.pauses
    assert decode_sequencer_state(encode_sequencer_state(state)).activity == state.activity
