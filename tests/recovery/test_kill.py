"""A TaskManager killed in the middle: nothing is lost, nothing counts twice."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from flink_ol.local.stack import Stack
from tests.plain_loop import assert_same_model, plain_loop
from tests.running_job import RunningJob, json_records, ledger_of

pytestmark = pytest.mark.recovery


def feed_with_kills(job: RunningJob, records: list[bytes], rate: float, kills: int) -> None:
    """Feed at ``rate`` and kill a TaskManager ``kills`` times meanwhile, each time replaced."""
    feeding = threading.Thread(target=job.feed, args=(records, rate))
    feeding.start()
    for _ in range(kills):
        time.sleep(len(records) / rate / (kills + 1))
        job.stack.kill_task_manager()
        job.stack.add_task_manager()
    feeding.join()


def test_a_killed_task_manager_costs_no_sample(stack: Stack, tmp_path: Path, job_name: str) -> None:
    job = RunningJob(stack, tmp_path, job_name, samples={"partitions": 4}, training={"workers": 2})
    records = list(json_records(4, 30_000))
    job.submit()
    job.feed(records[:4_000])
    before = job.await_samples(4_000)
    feed_with_kills(job, records[4_000:], rate=2_000, kills=1)
    snapshot = job.await_samples(len(records))
    assert ledger_of(snapshot) == job.expected_ledger()
    assert job.restarts() >= 1
    assert snapshot.frame.version > before.frame.version
    assert snapshot.frame.version.epoch > before.frame.version.epoch


def test_one_worker_equals_a_plain_loop_through_a_kill(
    stack: Stack, tmp_path: Path, job_name: str
) -> None:
    job = RunningJob(stack, tmp_path, job_name, samples={"partitions": 1}, training={"workers": 1})
    records = list(json_records(5, 20_000))
    job.submit()
    job.feed(records[:4_000])
    job.await_samples(4_000)
    feed_with_kills(job, records[4_000:], rate=1_500, kills=1)
    snapshot = job.await_samples(len(records))
    assert job.restarts() >= 1
    assert ledger_of(snapshot) == job.expected_ledger()
    assert_same_model(snapshot, plain_loop(job.spec, records)[0])
