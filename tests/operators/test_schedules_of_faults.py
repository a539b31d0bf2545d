"""Random schedules of faults over the job's own operators, against what was produced.

The failing schedule is printed as a list of events: names and arguments of JobInMemory's methods.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flink_ol.core import frames
from flink_ol.core.config import AdaGrad, Features, FmModel, Ftrl, Learning, LinearModel, Sgd
from flink_ol.core.features.admission import Admission
from flink_ol.core.learner import Learner
from flink_ol.core.ledger import Tally
from flink_ol.core.lossy import Compression
from flink_ol.core.model import ModelState
from flink_ol.core.quantisation import Numbers
from flink_ol.core.state import Delta, State
from flink_ol.core.trainer import TrainerState
from flink_ol.core.training import Async, Bounded, Exact, Local, Sync
from flink_ol.operators import model, sequencer, stored_log, trainer
from flink_ol.wire.formats import sample_format
from flink_ol.wire.parts import split
from tests.operators.job_in_memory import JSON_FIELDS, REPLICAS, JobInMemory

Event = tuple[Any, ...]
Records = dict[int, list[tuple[int, bytes | None]]]

LEARNINGS = {
    "sgd": Learning(
        task="binary",
        model=LinearModel(),
        features=Features(scale="standard"),
        optimizer=Sgd(learning_rate=0.05),
    ),
    "ftrl": Learning(
        task="binary",
        model=LinearModel(),
        features=Features(scale="none", hash_bits=12),
        optimizer=Ftrl(alpha=0.1),
    ),
    "fm": Learning(
        task="binary",
        model=FmModel(factors=2),
        features=Features(scale="standard"),
        optimizer=AdaGrad(learning_rate=0.05),
    ),
    "waiting": Learning(
        task="binary",
        model=LinearModel(),
        features=Features(scale="none", admission=Admission(occurrences=8)),
        optimizer=Sgd(learning_rate=0.1),
    ),
}
QUICK = Sync(round_samples=5, round_timeout_ms=30)
MODES: dict[str, Any] = {
    "local": Local(),
    "sync": QUICK,
    "bounded": Bounded(update_samples=4, staleness=1, idle_ms=40),
    "async": Async(update_samples=4),
    "exact": Exact(),
}
ROUNDED: tuple[tuple[str, str, Numbers], ...] = (
    ("local", "sgd", "int8"),
    ("local", "waiting", "float16"),
    ("bounded", "fm", "int8"),
    ("async", "sgd", "float16"),
)
COMPRESSION = Compression(numbers="int8", top=0.3)
POISON = (b"no json", None, b'{"x": {"a": 1}}', b'{"x": 3, "y": 1}', b'{"x": {"a": 1}, "y": "?"}')
PARTITIONS = 3

worker, few = st.integers(0, 3), st.integers(1, 6)
window = st.tuples(st.just("batch"), st.integers(0, PARTITIONS - 1), st.integers(1, 8))
onward = st.one_of(
    st.tuples(st.just("deliver"), worker, few),
    st.tuples(st.just("fold"), st.integers(0, REPLICAS - 1), few),
    st.tuples(st.just("feed_back"), worker, few),
    st.tuples(st.just("tick"), st.integers(1, 60)),
)
crashes = st.one_of(
    st.tuples(st.just("crash"), st.integers(0, 4)),
    st.tuples(st.just("rescale"), st.integers(1, 4)),
)
faults = st.one_of(
    st.tuples(st.just("lose"), worker, few),
    st.tuples(st.just("show_again"), worker, st.integers(0, 99), few),
    st.tuples(st.just("damage"), worker, st.integers(0, 9_999)),
    st.tuples(st.just("ghost"), few),
    st.tuples(st.just("command")),
    st.tuples(st.just("failed_checkpoint")),
    crashes,
)
turns = st.tuples(st.just("turn"), st.integers(1, 4))
calm = st.one_of(window, turns, onward, onward, st.tuples(st.just("checkpoint")))
schedules = st.lists(st.one_of(calm, calm, faults), min_size=15, max_size=50)


class Clock:
    """Stands for the module ``time`` in the operators."""

    def __init__(self) -> None:
        self.job: JobInMemory | None = None

    def time_ns(self) -> int:
        return 0 if self.job is None else self.job.now_ms * 1_000_000

    monotonic_ns = time_ns

    def sleep(self, seconds: float) -> None: ...


CLOCK = Clock()


@pytest.fixture(scope="module", autouse=True)
def small_and_timed() -> Iterator[None]:
    """Logs and frames are cut after little, so that short schedules meet it; time is an input."""
    lives = itertools.count(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model, "split", partial(split, part_bytes=900))
        patch.setattr(stored_log, "_MOST_ENTRIES", 3)
        patch.setattr(frames, "_SMALL_BYTES", 0)  # so that frames are changes too
        patch.setattr(sequencer, "time", CLOCK)
        patch.setattr(trainer, "time", CLOCK)
        patch.setattr(trainer, "secrets", SimpleNamespace(randbits=lambda bits: next(lives)))
        # the real one would keep the garbage of thousands of lives
        calm_gc = SimpleNamespace(freeze=lambda: None, set_threshold=lambda *_: None)
        patch.setattr(trainer, "gc", calm_gc)
        yield


def produced(seed: int, partitions: int, each: int = 40) -> tuple[Records, Records]:
    """Records by partition, with gaps between offsets; and those that must become dead letters."""
    records: Records = {}
    poison: Records = {}
    for partition in range(partitions):
        rng = np.random.default_rng((seed, partition))
        records[partition], poison[partition] = [], []
        offset = 0
        for _ in range(each):
            offset += 1 + int(rng.random() < 0.1)
            if rng.random() < 0.1:
                payload = POISON[rng.integers(len(POISON))]
                poison[partition].append((offset, payload))
            else:
                x: dict[str, Any] = {
                    f"f{j}": rng.normal(5, 2) for j in range(6) if rng.random() < 0.5
                }
                x["colour"] = str(rng.choice(["red", "green", "blue"]))
                payload = orjson.dumps({"x": x, "y": int(rng.integers(2))})
            records[partition].append((offset, payload))
    return records, poison


def run(
    learning: Learning,
    training: Any,
    schedule: list[Event],
    records: Records,
    numbers: Numbers | None = None,
) -> JobInMemory:
    """The job after the schedule and after everything has settled."""
    job = JobInMemory(learning, training, 2 if len(records) > 1 else 1, records, numbers)
    CLOCK.job = job
    for name, *arguments in schedule:
        if name == "batch":
            arguments[0] %= len(records)
        if name in ("crash", "rescale") and len(records) == 1:
            arguments = [1]
        getattr(job, name)(*arguments)
        job.validate()
    job.settle()
    job.validate()
    return job


def tally(records: list[tuple[int, bytes | None]]) -> Tally:
    return Tally.of(np.array([offset for offset, _ in records], np.int64))


def check_counts(
    learning: Learning,
    training: Any,
    schedule: list[Event],
    seed: int,
    numbers: Numbers | None = None,
) -> None:
    """Ledger, dead letters, versions and replicas of a job with several partitions."""
    records, poison = produced(seed, PARTITIONS)
    job = run(learning, training, schedule, records, numbers)
    first, *others = [replica.function._state for replica in job.model]
    for p, of_partition in records.items():
        good = [record for record in of_partition if record not in poison[p]]
        # in rounds, what fills no part of one waits for more, and with it what was refused since
        whole = len(good) - len(good) % training.round_samples if training.mode == "sync" else None
        account = first.ledger[p]
        assert account.learned == tally(good[:whole])
        assert account.rejected == tally(poison[p][: account.rejected.count])
        assert whole is not None or account.rejected.count == len(poison[p])
    assert job.dead_letters == {(p, offset) for p, all_of in poison.items() for offset, _ in all_of}
    for other in others:
        assert (other.version, other.ledger) == (first.version, first.ledger)
        assert (other.names.first, other.names.others) == (first.names.first, first.names.others)
        for spec in first.arrays.specs:
            assert first.arrays.rows(spec.name).tobytes() == other.arrays.rows(spec.name).tobytes()
    seen = [snapshot.frame.version for snapshot in job.snapshots()]
    assert seen
    assert all(one < other for one, other in itertools.pairwise(seen))
    for trained in job.trainers:
        state = trained.function._state
        if state.greeted and training.mode != "exact":  # there trainers have no use for the model
            assert not state.pending
            expected = first.arrays if numbers is None else viewed(first, state)
            held, keys = state.replica, expected.vocabulary.keys
            # a trainer may have met features in another order
            assert sorted(held.vocabulary.keys) == sorted(keys)
            slots = held.vocabulary.find(keys.copy())
            for spec in held.specs:
                rows = held.rows(spec.name)[slots] if spec.per_feature else held.rows(spec.name)
                assert rows.tobytes() == expected.rows(spec.name).tobytes()


def viewed(model: ModelState, trained: TrainerState) -> State:
    """The model with the parameters that its publisher thinks a trainer to have."""
    view, arrays = model.frames.view, model.arrays.copy()
    assert view is not None
    assert trained.view is not None
    assert np.array_equal(trained.view.vocabulary.keys, view.vocabulary.keys)
    for spec in view.specs:
        assert trained.view.rows(spec.name).tobytes() == view.rows(spec.name).tobytes()
    arrays.assign(Delta(view.vocabulary.keys, {s.name: view.rows(s.name) for s in view.specs}))
    return arrays


def check_plain_loop(learning: Learning, training: Any, schedule: list[Event], seed: int) -> None:
    """One partition with one worker comes to the plain loop's model."""
    records, _ = produced(seed, 1)
    job = run(learning, training, schedule, records)
    learner = Learner(learning)
    decoder = sample_format("json", JSON_FIELDS, learning)
    offsets, payloads = zip(*records[0], strict=True)
    samples, _ = decoder.decode(payloads, np.array(offsets, np.int64))
    plain = learner.initial()
    samples = learner.filled(plain, samples)
    learner.mark(plain, samples)
    sums = learner.learn(plain, samples, float("nan"), 1.0)
    state = job.model[0].function._state
    close: Callable[..., None] = partial(np.testing.assert_allclose, rtol=1e-9, atol=1e-12)
    slots = plain.vocabulary.find(state.arrays.vocabulary.keys.copy())
    assert len(slots) == plain.vocabulary.size
    assert slots.min() >= 0
    for spec in plain.specs:
        theirs = plain.rows(spec.name)
        close(
            state.arrays.rows(spec.name),
            theirs[slots] if spec.per_feature else theirs,
            err_msg=spec.name,
        )
    for name, value in sums.items():
        close(state.sums[name], value, err_msg=name)


def check_repeats(learning: Learning, training: Any, schedule: list[Event], seed: int) -> None:
    """With rounds that wait for every partition, faults change no bit of the model."""
    records, _ = produced(seed, PARTITIONS)
    job, calm = run(learning, training, schedule, records), run(learning, training, [], records)
    ours, theirs = job.model[0].function._state, calm.model[0].function._state
    for partition, account in theirs.ledger.items():
        assert ours.ledger[partition].learned == account.learned
    slots = theirs.arrays.vocabulary.find(ours.arrays.vocabulary.keys.copy())
    for spec in ours.arrays.specs:
        expected = theirs.arrays.rows(spec.name)
        expected = expected[slots] if spec.per_feature else expected
        assert ours.arrays.rows(spec.name).tobytes() == expected.tobytes(), spec.name


Check = Callable[[Learning, Any, list[Event], int], None]
STEADY = Sync(round_samples=5, round_timeout_ms=None)
CASES: dict[str, tuple[Check, Learning, Any]] = {
    **{
        f"{mode}-{name}": (check_counts, LEARNINGS[name], MODES[mode])
        for mode in MODES
        for name in LEARNINGS
    },
    **{
        f"{mode}-{name}-plain": (check_plain_loop, LEARNINGS[name], MODES[mode])
        for mode in ("local", "exact")
        for name in LEARNINGS
    },
    **{
        f"{mode}-lossy": (
            check_counts,
            LEARNINGS[name],
            replace(MODES[mode], compression=COMPRESSION),
        )
        for mode, name in (("local", "waiting"), ("sync", "ftrl"), ("bounded", "fm"))
    },
    # frames of changes to what trainers hold, rounded
    **{
        f"{mode}-{name}-{numbers}-frames": (
            partial(check_counts, numbers=numbers),
            LEARNINGS[name],
            MODES[mode],
        )
        for mode, name, numbers in ROUNDED
    },
    **{f"sync-{name}-repeats": (check_repeats, LEARNINGS[name], STEADY) for name in LEARNINGS},
    # what was kept back survives a crash, or the bits would differ
    "sync-lossy-repeats": (
        check_repeats,
        LEARNINGS["ftrl"],
        replace(STEADY, compression=COMPRESSION),
    ),
}
ALL = pytest.mark.parametrize("case", CASES)


@pytest.mark.parametrize("training", [STEADY, MODES["bounded"]], ids=["sync", "bounded"])
def test_what_waits_for_the_model_goes_on_after_a_restart_without_new_samples(
    training: Any,
) -> None:
    records, poison = produced(5, PARTITIONS)
    job = JobInMemory(LEARNINGS["sgd"], training, 2, records)
    CLOCK.job = job
    for partition, of_partition in records.items():
        job.batch(partition, len(of_partition))
    job.tick(20)
    job.rescale(2)  # every sample is in the state of its trainer, and nothing more comes
    job.settle()
    good = {p: len(records[p]) - len(poison[p]) for p in records}
    if training.mode == "sync":  # a round takes as many of every partition
        each = training.round_samples
        good = dict.fromkeys(good, min(good.values()) // each * each)
    ledger = job.model[0].function._state.ledger
    assert {p: account.learned.count for p, account in ledger.items()} == good


@ALL
@settings(max_examples=6)
@given(schedules, st.integers(0, 99))
def test_whatever_fails_every_sample_counts_once(
    case: str, schedule: list[Event], seed: int
) -> None:
    check, learning, training = CASES[case]
    check(learning, training, schedule, seed)


@pytest.mark.battery
@ALL
@settings(max_examples=300)
@given(schedules, st.integers(0, 9_999))
def test_every_sample_counts_once_in_thousands_of_schedules(
    case: str, schedule: list[Event], seed: int
) -> None:
    check, learning, training = CASES[case]
    check(learning, training, schedule, seed)
