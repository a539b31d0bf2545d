"""Random schedules of faults while a job makes passes over a bounded input."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flink_ol.core.config import Learning
from flink_ol.core.training import Sync
from tests.operators.job_in_memory import JobInMemory
from tests.operators.test_schedules_of_faults import (
    CLOCK,
    COMPRESSION,
    LEARNINGS,
    PARTITIONS,
    Event,
    Records,
    produced,
    schedules,
    small_and_timed,
    tally,
)

__all__ = ["small_and_timed"]  # a fixture of this module too

WHOLE = Sync(round_samples=None, passes=3, round_timeout_ms=None)
ROUNDS = Sync(round_samples=4, passes=2, round_timeout_ms=None)
QUICK = Sync(round_samples=4, passes=2, round_timeout_ms=30)
_ENOUGH_TURNS = 600  # of 200 ms: frames that were lost are asked for after 30 s, then 60


def run(training: Sync, learning: Learning, schedule: list[Event], given: Records) -> JobInMemory:
    """The job once its passes are done; of each partition the last five records came too late."""
    ends = {partition: records[-6][0] + 1 for partition, records in given.items()}
    job = JobInMemory(learning, training, 2, given, ends=ends)
    CLOCK.job = job
    job.command()
    for name, *arguments in schedule:
        getattr(job, name)(*arguments)
        if name in ("crash", "rescale"):
            job.tick(1)  # timers of the life before are overdue, and fire before anything else
        job.validate()
    for partition, records in given.items():
        job.batch(partition, len(records))
    job.command()
    for _ in range(_ENOUGH_TURNS):
        job.tick(200)
        job.failed_checkpoint()
        for worker in range(len(job.trainers)):
            job.feed_back(worker, len(job.weights))
        if job.model[0].function._state.pace.passes == training.passes:
            return job
    raise AssertionError(f"stuck at {job.model[0].function._state.pace}")


CASES = {
    "whole": (WHOLE, "sgd"),
    "rounds": (ROUNDS, "fm"),
    "timeouts": (QUICK, "sgd"),
    "waiting": (ROUNDS, "waiting"),
    "lossy": (replace(QUICK, compression=COMPRESSION), "ftrl"),
    "lossy-steady": (replace(ROUNDS, compression=COMPRESSION), "ftrl"),
}


def check(case: str, schedule: list[Event], seed: int) -> None:
    training, name = CASES[case]
    records, poison = produced(seed, PARTITIONS, 18)
    job = run(training, LEARNINGS[name], schedule, records)
    state, good = job.model[0].function._state, 0
    for p, of_partition in records.items():
        bad = [record for record in poison[p] if record in of_partition[:-5]]
        fine = [record for record in of_partition[:-5] if record not in bad]
        good += len(fine)
        # each record once, however often it was learned from
        assert (state.ledger[p].learned, state.ledger[p].rejected) == (tally(fine), tally(bad))
        assert {o for q, o in job.dead_letters if q == p} == {offset for offset, _ in bad}
    assert training.passes is not None
    assert state.arrays.arrays["steps"][0] == training.passes * good
    if training.round_timeout_ms is None:
        calm = run(training, LEARNINGS[name], [], records).model[0].function._state.arrays
        slots = calm.vocabulary.find(state.arrays.vocabulary.keys.copy())
        for spec in calm.specs:
            rows = calm.rows(spec.name)
            expected = rows[slots] if spec.per_feature else rows
            assert state.arrays.rows(spec.name).tobytes() == expected.tobytes(), spec.name


@pytest.mark.parametrize("case", CASES)
@settings(max_examples=6)
@given(schedules, st.integers(0, 99))
def test_every_pass_takes_every_sample_once_whatever_fails(
    case: str, schedule: list[Event], seed: int
) -> None:
    check(case, schedule, seed)


@pytest.mark.battery
@pytest.mark.parametrize("case", CASES)
@settings(max_examples=200)
@given(schedules, st.integers(0, 9_999))
def test_every_pass_takes_every_sample_once_in_thousands_of_schedules(
    case: str, schedule: list[Event], seed: int
) -> None:
    check(case, schedule, seed)
