"""Processes of the cluster ended at random moments: nothing is lost, nothing counts twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from flink_ol.local.stack import Stack
from tests.plain_loop import assert_same_model, plain_loop
from tests.recovery.faults import (
    assert_all_there,
    feed_and_hurt,
    kill_python_worker,
    kill_task_manager,
    report,
)
from tests.recovery.watching import Watch
from tests.running_job import RunningJob, json_records

pytestmark = [pytest.mark.recovery, pytest.mark.battery]

HANGS_S = 300.0  # how long a recovery takes is told, not asserted: machines differ
SPREAD = 2_500.0  # records a second: ten faults 40 s apart, so that most recoveries can be timed
FOUR = {"samples": {"partitions": 4}, "training": {"workers": 4}}


def a_million() -> list[bytes]:
    """The same thousands of records over and over: what differs is where they stand."""
    return list(json_records(6, 20_000)) * 50


def test_ten_task_managers_killed_over_a_million_samples(
    stack: Stack, tmp_path: Path, job_name: str
) -> None:
    job = RunningJob(stack, tmp_path, job_name, **FOUR)
    job.submit()
    records = a_million()
    with Watch(job) as watch:
        hurt = partial(kill_task_manager, stack)
        moments = feed_and_hurt(job, watch, records, SPREAD, 10, hurt)
        snapshot = watch.await_samples(len(records), 240)
    assert_all_there(job, snapshot)
    watch.assert_rising()
    assert job.restarts() >= 5
    assert max(report(watch, moments, "TaskManager killed"), default=0.0) < HANGS_S


def test_ten_python_workers_killed_over_a_million_samples(
    stack: Stack, tmp_path: Path, job_name: str
) -> None:
    job = RunningJob(stack, tmp_path, job_name, **FOUR)
    job.submit()
    records = a_million()
    with Watch(job) as watch:
        hurt = partial(kill_python_worker, stack)
        moments = feed_and_hurt(job, watch, records, SPREAD, 10, hurt)
        snapshot = watch.await_samples(len(records), 240)
    assert_all_there(job, snapshot)
    watch.assert_rising()
    assert job.restarts() >= 5
    assert max(report(watch, moments, "Python worker killed"), default=0.0) < HANGS_S


def test_a_job_goes_on_from_its_last_checkpoint_after_its_job_manager_was_killed(
    stack: Stack, tmp_path: Path, job_name: str
) -> None:
    def hurt() -> float:
        moment = time.monotonic()
        stack.kill_job_manager()
        stack.restart_job_manager()
        job.run("--from", "latest")
        return moment

    job = RunningJob(stack, tmp_path, job_name, **FOUR)
    job.run()
    records = list(json_records(7, 20_000)) * 25  # a recovery takes a minute
    with Watch(job) as watch:
        moments = feed_and_hurt(job, watch, records, 2_000, 3, hurt)
        snapshot = watch.await_samples(len(records), 240)
    assert_all_there(job, snapshot)
    watch.assert_rising()
    assert max(report(watch, moments, "JobManager killed"), default=0.0) < HANGS_S


def test_a_broker_killed_three_times_costs_no_sample_and_no_snapshot(
    stack: Stack, tmp_path: Path, job_name: str
) -> None:
    def hurt() -> float:
        moment = time.monotonic()
        stack.kill_broker()
        stack.restart_broker()
        return moment

    job = RunningJob(stack, tmp_path, job_name, snapshots={"keep": 10_000}, **FOUR)
    job.submit()
    records = list(json_records(8, 20_000)) * 10
    with Watch(job) as watch:
        feed_and_hurt(job, watch, records, 2_000, 3, hurt)
        snapshot = watch.await_samples(len(records), 240)
    assert_all_there(job, snapshot)
    watch.assert_rising()
    gap_s, restarts = watch.longest_gap_s(), job.restarts()
    print(f"\nbroker killed: longest gap {gap_s:.1f} s, {restarts} restarts")
    assert gap_s < HANGS_S
    with Watch(job) as again:
        again.await_samples(len(records), 240)
    assert {seen.version for seen in watch.seen} <= {seen.version for seen in again.seen}


def test_one_worker_equals_a_plain_loop_through_three_kills(
    stack: Stack, tmp_path: Path, job_name: str
) -> None:
    three = (kill_python_worker, kill_task_manager, kill_python_worker)
    kinds: Iterator[Callable[[Stack], float]] = iter(three)

    def hurt() -> float:
        return next(kinds)(stack)

    job = RunningJob(stack, tmp_path, job_name, samples={"partitions": 1}, training={"workers": 1})
    job.submit()
    records = list(json_records(9, 100_000))
    with Watch(job) as watch:
        feed_and_hurt(job, watch, records, 1_500, 3, hurt)
        snapshot = watch.await_samples(len(records), 240)
    assert_all_there(job, snapshot)
    assert job.restarts() >= 3
    assert_same_model(snapshot, plain_loop(job.spec, records)[0])
