"""Under load for long: memory stays, checkpoints complete, every sample is there at the end.

SOAK_MINUTES (30) says for how long; what comes before, to warm up and to measure, takes two more.
"""

from __future__ import annotations

import contextlib
import functools
import os
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
import pytest

from flink_ol.app.flink_rest import FlinkRest
from flink_ol.client.connection import Connection
from flink_ol.client.producer import Producer
from flink_ol.local.processes import MEMBER_VARIABLE, marked_processes
from flink_ol.local.stack import Stack
from flink_ol.local.stack_record import StackRecord
from tests.recovery.faults import assert_all_there
from tests.recovery.watching import Watch
from tests.running_job import RunningJob, json_records

pytestmark = [pytest.mark.recovery, pytest.mark.soak]

SOAK_S = 60 * float(os.environ.get("SOAK_MINUTES", "30"))
LOAD = 0.8  # of the measured rate
WARM_UP_S, MEASURE_S = 40.0, 40.0
WARM_UP_RATE = 5_000.0  # samples per second
DEADLINE_S = 300.0
BLOCK = 500  # samples that are sent together
LOOKS = 120  # at the memory, over the soak
# What a process may grow by in the second half, along its line of least squares. A JVM takes the
# heap that it was granted little by little, which is no leak, and is why the bound has two parts.
GROWTH_MIB, GROWTH_SHARE = 8.0, 0.05


class Look(NamedTuple):
    at_s: float  # time.monotonic()
    mib: dict[tuple[str, int], float]  # (member, process id) -> memory of its own


def test_memory_is_flat_under_load(stack: Stack, tmp_path: Path, job_name: str) -> None:
    job = RunningJob(
        stack,
        tmp_path,
        job_name,
        kafka={"bootstrap_servers": stack.bootstrap_servers, "retention_ms": 600_000},
        samples={"partitions": 4},
        training={"workers": 2},
        snapshots={"interval_ms": 1_000},
        checkpoints={"interval_ms": 5_000},
    )
    job.submit()
    with Watch(job) as watch, feeder(job) as producer:
        feed(job, producer, WARM_UP_RATE, WARM_UP_S)
        watch.await_samples(sum(job.produced), DEADLINE_S)
        before, started = sum(job.produced), time.monotonic()
        feed(job, producer, None, MEASURE_S)
        watch.await_samples(sum(job.produced), DEADLINE_S)
        measured = (sum(job.produced) - before) / (time.monotonic() - started)
        looks, begun = [look(stack)], checkpoints(job)
        for _ in range(LOOKS):
            feed(job, producer, LOAD * measured, SOAK_S / LOOKS)
            looks.append(look(stack))
        soaked = sum(job.produced) - before
        snapshot = watch.await_samples(sum(job.produced), DEADLINE_S)
    counts = checkpoints(job)
    print(f"\n{measured:,.0f} samples/s measured; {soaked:,} in {SOAK_S / 60:g} minutes and before")
    assert_all_there(job, snapshot)
    watch.assert_rising()
    assert job.restarts() == 0
    print(f"checkpoints before the soak {begun}, after it {counts}")
    assert counts["failed"] == begun["failed"]  # some fail before all tasks run
    assert counts["completed"] - begun["completed"] >= SOAK_S / 15
    assert_flat(looks[LOOKS // 2 :])


def feeder(job: RunningJob) -> Producer:
    """The library's producer: faster than kafka-python's, so that more of the load is the job."""
    address = Connection(job.bootstrap_servers, job.spec.name)
    return Producer(address, job.spec.topics.samples)


def feed(job: RunningJob, producer: Producer, rate: float | None, seconds: float) -> None:
    """Send to the partitions in turn for ``seconds``, at ``rate`` per second or all it can."""
    records = prepared()
    started, sent = time.monotonic(), 0
    while (passed := time.monotonic() - started) < seconds:
        if rate is not None and sent > rate * passed:
            time.sleep(0.01)
            continue
        partition = sent // BLOCK % len(job.produced)
        first = sent % len(records)
        producer.send_block(records[first : first + BLOCK], partition)
        job.produced[partition] += BLOCK
        sent += BLOCK
    producer.flush(DEADLINE_S)


@functools.cache
def prepared() -> list[bytes]:
    return list(json_records(33, 20_000, features=8))


def checkpoints(job: RunningJob) -> dict[str, int]:
    """How many there were so far, by how they ended."""
    counts: dict[str, int] = FlinkRest(job.stack.rest_url).checkpoints(job.id)["counts"]
    return counts


def look(stack: Stack) -> Look:
    """Memory of every process of the stack: what it maps with others, files say, left out."""
    record = StackRecord.read(stack.folder)
    assert record is not None
    found = {}
    for process in marked_processes(record.id):
        with contextlib.suppress(psutil.NoSuchProcess):
            memory = process.memory_info()
            key = (process.environ()[MEMBER_VARIABLE], process.pid)
            found[key] = (memory.rss - memory.shared) / (1 << 20)
    return Look(time.monotonic(), found)


def assert_flat(looks: list[Look]) -> None:
    """The same processes all the time, and none grows by more than the bound."""
    assert all(one.mib.keys() == looks[0].mib.keys() for one in looks)
    at_s = np.array([one.at_s for one in looks])
    grown = {}
    for process in looks[0].mib:
        mib = np.array([one.mib[process] for one in looks])
        growth = float(np.polyfit(at_s - at_s[0], mib, 1)[0] * (at_s[-1] - at_s[0]))
        member, pid = process
        print(f"{member} {pid}: {mib.mean():.0f} MiB, {growth:+.1f} in {np.ptp(at_s):.0f} s")
        if growth > GROWTH_MIB + GROWTH_SHARE * mib.mean():
            grown[process] = mib.round().tolist()
    assert not grown
