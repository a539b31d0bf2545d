"""Samples that wait for their turn: in the ledger once, and no more of them than were asked for."""

from __future__ import annotations

import numpy as np
import pytest

from flink_ol.core.config import Features, Learning, LinearModel, Sgd
from flink_ol.core.learner import Learner
from flink_ol.core.ledger import Account, Tally
from flink_ol.core.messages import Worker
from flink_ol.core.modes import trainer_of
from flink_ol.core.samples import Rejection
from flink_ol.core.trainer import BatchArrived, KeepBatch, SlowDown
from flink_ol.core.training import Async, Bounded, Local, Sync, Training, crossing_of
from tests.core.mode_job import ModeJob
from tests.core.simulation import samples

LEARNER = Learner(
    Learning(
        task="binary",
        model=LinearModel(),
        optimizer=Sgd(learning_rate=0.1),
        features=Features(scale="none"),
    )
)
STEADY = Sync(workers=1, round_samples=2, round_timeout_ms=None)


def account(learned: list[int], rejected: list[int]) -> Account:
    return Account(Tally.of(np.array(learned)), Tally.of(np.array(rejected)))


def job_of(training: Sync | Bounded, count: int, poison: set[int]) -> ModeJob:
    """One partition, one worker; the offsets ``poison`` cannot be read."""
    given = frozenset((0, offset) for offset in poison)
    return ModeJob(LEARNER, training, {0: samples(0, 0, count)}, given)


def turn(job: ModeJob) -> None:
    job.deliver()
    job.feed_back(0)
    job.wake(0)


def test_a_number_too_large_is_rejected_once_though_its_batch_waits_through_a_restart() -> None:
    job = job_of(STEADY, 6, set())
    job.inputs[0].values[job.inputs[0].indptr[0]] = 1e160  # of offset 0; it is finite
    job.feed(0, 6)
    turn(job)  # 1 and 2 are in the model, 3 and 4 on their way
    job.checkpoint()
    job.crash()
    job.settle()
    assert job.state.ledger == {0: account([1, 2, 3, 4], [])}
    assert job.dead_letters == {(0, 0)}


def test_what_is_rejected_while_a_round_is_open_is_in_the_ledger() -> None:
    job = job_of(STEADY, 6, {2, 3})
    job.feed(0, 2)  # complete: it is on its way
    job.feed(0, 2)  # and this comes before the model has it
    turn(job)
    job.feed(0, 2)
    job.settle()
    assert job.state.ledger == {0: account([0, 1, 4, 5], [2, 3])}


@pytest.mark.parametrize("windows", [[1, 7], [3, 1, 4], [1, 2, 1, 4]])
def test_in_passes_what_is_rejected_is_in_the_ledger_once(windows: list[int]) -> None:
    training = Sync(workers=1, round_samples=2, round_timeout_ms=None, passes=2)
    job = job_of(training, 8, {0, 3})
    for size in windows:
        job.feed(0, size)
        turn(job)
        job.checkpoint()
        job.crash()
    job.settle()
    assert job.state.pace.passes == 2
    assert job.state.ledger == {0: account([1, 2, 4, 5, 6, 7], [0, 3])}


def test_what_comes_after_the_end_of_a_bounded_input_is_never_learned_or_kept() -> None:
    training = Sync(workers=1, round_samples=2, round_timeout_ms=None, passes=1)
    machine, given = trainer_of(training, LEARNER, {0: 3}), samples(0, 0, 8)
    state = machine.initial(Worker(0, 1))
    first = machine.handle(state, BatchArrived(0, given.rows(0, 4), [], 5))
    later = machine.handle(state, BatchArrived(0, given.rows(4, 8), [Rejection(9, "bad")], 5))
    assert any(isinstance(effect, KeepBatch) for effect in first)
    assert not any(isinstance(effect, KeepBatch) for effect in later)
    assert len(state.rooms[0].batches) == 1


def test_the_end_of_a_bounded_input_holds_after_a_restart() -> None:
    training = Sync(workers=1, round_samples=2, round_timeout_ms=None, passes=2)
    job = job_of(training, 6, set())
    for machine in job.machines:
        machine._ends = {0: 5}  # type: ignore[attr-defined]
    job.feed(0, 6)
    job.checkpoint()
    job.crash()
    job.settle()
    assert job.state.pace.passes == 2
    assert job.state.ledger == {0: account([0, 1, 2, 3, 4], [])}


def delays(training: Sync, windows: int, heard: bool = True) -> list[list[float]]:
    """For how long the source is held back after each of so many windows of ten samples.

    ``heard``: whether weights came before them.
    """
    machine, given = trainer_of(training, LEARNER, {0: 10 * windows}), samples(0, 0, 10 * windows)
    state = machine.initial(Worker(0, 1))
    state.heard = heard
    told = []
    for first in range(0, 10 * windows, 10):
        effects = machine.handle(state, BatchArrived(0, given.rows(first, first + 10), [], 5))
        told.append([round(one.seconds, 4) for one in effects if isinstance(one, SlowDown)])
    return told


@pytest.mark.parametrize(
    ("round_samples", "heard", "expected"),
    [
        (10, True, [0.0532, 0.1414, 0.3761, 1.0]),
        (20, True, [0.0266, 0.0707, 0.188, 0.5]),
        (10, False, [0.1245, 0.7746, 4.8206, 30.0]),
    ],
)
def test_the_source_is_held_back_from_half_a_waiting_room_on_and_a_full_one_ends_the_job(
    round_samples: int, heard: bool, expected: list[float]
) -> None:
    # the first round is on its way, and kept until the model has it
    training = Sync(workers=1, round_samples=round_samples, waiting_samples=80)
    assert delays(training, 8, heard) == [[], [], [], [], *([one] for one in expected)]
    with pytest.raises(RuntimeError, match=r"90 samples of partition 0 wait.*allows 80: larger"):
        delays(training, 9)


def test_what_passes_keep_slows_nothing_down() -> None:
    training = Sync(workers=1, round_samples=10, waiting_samples=80, passes=2)
    assert delays(training, 8) == [[]] * 8


NO_LIMIT = (None, None, 1000)


@pytest.mark.parametrize(
    ("training", "most_waiting", "lines", "messages_of_many"),
    [
        (Sync(round_samples=100), 200_000, (100, 13, 2), (8, 1, 1)),
        (Sync(round_samples=100_000), 400_000, (100_000, 12_500, 2), (8, 1, 1)),
        (Sync(round_samples=100, passes=1), 2_000_000, NO_LIMIT, NO_LIMIT),
        (Sync(round_samples=100, waiting_samples=300), 300, (100, 13, 2), (8, 1, 1)),
        (Bounded(update_samples=7), 200_000, (7, 1, 2), (8, 1, 1)),
        (Async(update_samples=7), 200_000, NO_LIMIT, NO_LIMIT),
        (Local(), None, NO_LIMIT, NO_LIMIT),
    ],
)
def test_room_and_batches_follow_from_how_many_samples_go_together(
    training: Training,
    most_waiting: int | None,
    lines: tuple[int | None, int | None, int],
    messages_of_many: tuple[int | None, int | None, int],
) -> None:
    assert getattr(training, "most_waiting", None) == most_waiting
    assert crossing_of(training, many_samples=False) == lines
    assert crossing_of(training, many_samples=True) == messages_of_many


@pytest.mark.parametrize(
    "training",
    [
        Sync(workers=1, round_samples=4, waiting_samples=50),
        Bounded(workers=1, update_samples=4, waiting_samples=50),
    ],
    ids=["sync", "bounded"],
)
def test_a_partition_of_bad_records_alone_keeps_no_more_of_them_than_a_round(
    training: Sync | Bounded,
) -> None:
    job = job_of(training, 400, set(range(396)))
    for _ in range(100):
        job.feed(0, 4)
        turn(job)
        assert sum(len(batch.rejections) for batch in job.keyed[0].waiting.values()) <= 8
    job.settle()
    assert job.state.ledger == {0: account([396, 397, 398, 399], list(range(396)))}
