"""Hurting a job again and again while it is fed, and what must hold afterwards."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence

import numpy as np

from flink_ol.core.messages import Snapshot
from flink_ol.local.errors import StackError
from flink_ol.local.stack import Stack
from tests.recovery.watching import Watch
from tests.running_job import RunningJob, ledger_of

Hurt = Callable[[], float]  # the moment of the fault, time.monotonic()


WARM_UP = 4_000  # samples that are learned before the first fault


def feed_and_hurt(
    job: RunningJob, watch: Watch, records: Sequence[bytes], rate: float, times: int, hurt: Hurt
) -> list[float]:
    """Feed at ``rate`` and hurt the job at random moments meanwhile; the moments.

    Each moment is anywhere in its share of the feeding, so one may meet the recovery of another.
    """
    job.feed(records[:WARM_UP])
    watch.await_samples(WARM_UP, 120)
    records = records[WARM_UP:]
    rng = random.Random(len(records))
    feeding = threading.Thread(target=job.feed, args=(records, rate), daemon=True)
    started = time.monotonic()
    feeding.start()
    moments = []
    for share in range(times):
        due = started + (share + rng.random()) * len(records) / rate / times
        time.sleep(max(0.0, due - time.monotonic()))
        moments.append(hurt())
    feeding.join()
    return moments


def kill_task_manager(stack: Stack) -> float:
    """Another is started at once; the moment."""
    moment = time.monotonic()
    stack.kill_task_manager()
    stack.add_task_manager()
    return moment


def kill_python_worker(stack: Stack, timeout_s: float = 60.0) -> float:
    """As soon as there is one, after a fault the next may come before the workers; the moment.

    Where the TaskManager goes too (Beam 2.61 may count its worker's references below zero while it
    cleans up, which Flink takes for fatal), another is started, as whoever runs a cluster would.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        moment = time.monotonic()
        try:
            stack.kill_python_worker()
            break
        except StackError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
    healed = time.monotonic() + 5.0
    while time.monotonic() < healed:
        if not stack.task_managers():
            stack.add_task_manager()
            break
        time.sleep(0.2)
    return moment


def assert_all_there(job: RunningJob, snapshot: Snapshot) -> None:
    """Lost 0, twice 0: per partition count, sum and XOR of the offsets are of what was produced."""
    assert job.in_topic() == job.produced
    assert ledger_of(snapshot) == job.expected_ledger()
    assert all(np.isfinite(array).all() for array in snapshot.frame.arrays.values())


def report(watch: Watch, moments: Sequence[float], fault: str) -> list[float]:
    """Seconds to recover from each fault that had the time to; printed for docs/guarantees.md.

    Where the next fault came before the recovery, it counts from the last of them; a fault after
    the last sample has nothing to recover for.
    """
    ends = [moment + watch.recovered_s(moment) for moment in moments]
    following = [*moments[1:], float("inf")]
    recovered = [
        end - moment
        for moment, end, then in zip(moments, ends, following, strict=True)
        if end < then
    ]
    figures = ", ".join(f"{seconds:.1f}" for seconds in recovered)
    told = f"{len(recovered)} of {len(moments)} timed, new snapshots after {figures} s"
    print(f"\n{fault}: {told}; longest gap {watch.longest_gap_s():.1f} s")
    return recovered
