"""A TaskManager ended between pre-commit and commit, and away for too long to commit later."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition

from flink_ol.local.stack import Stack
from tests.recovery.faults import assert_all_there
from tests.recovery.feeding import fed_and_asked
from tests.recovery.freezing import kill_before_commit, open_snapshots
from tests.recovery.watching import Watch
from tests.running_job import PATIENCE_MS, RunningJob
from tests.shell import Shell

pytestmark = [pytest.mark.recovery, pytest.mark.battery]

DEADLINE_S = 300.0
TIMEOUT_MS = 10_000  # of the transactions: the least that is allowed
SECTIONS: dict[str, Any] = {
    "samples": {"partitions": 4},
    "training": {"workers": 4},
    "snapshots": {"interval_ms": 100, "keep": 10_000},
    "checkpoints": {"interval_ms": 2_000},
}


def test_snapshots_lost_in_a_long_outage_are_told_and_the_model_is_exact(
    stack: Stack, tmp_path: Path, job_name: str
) -> None:
    delivery = {"transaction_timeout_ms": TIMEOUT_MS}
    job = RunningJob(stack, tmp_path, job_name, delivery=delivery, **SECTIONS)
    job.submit()
    with Watch(job) as watch:
        with fed_and_asked(job):
            watch.await_samples(500, DEADLINE_S)
            kill_before_commit(job)
            hidden, life = open_snapshots(job), watch.seen[-1].version.epoch
            assert hidden
            await_given_up(job)
            stack.add_task_manager()
            watch.await_life(life + 1, DEADLINE_S)
            told = await_alert(job, "transactions were lost")
            print(f"\n{told}")
        snapshot = watch.await_samples(sum(job.produced), DEADLINE_S)
    assert_all_there(job, snapshot)
    watch.assert_rising()
    assert not {seen.version for seen in watch.seen} & set(hidden)


def await_given_up(job: RunningJob) -> None:
    """Return when the broker has ended the transactions: committed readers reach the end."""
    deadline = time.monotonic() + DEADLINE_S
    while len(set(ends(job))) > 1:
        assert time.monotonic() < deadline, "the broker keeps transactions that timed out"
        time.sleep(1)


def ends(job: RunningJob) -> list[int]:
    """The end of the snapshots topic for committed readers, and for all."""
    partition = TopicPartition(job.spec.topics.snapshots, 0)
    found = []
    for level in "read_committed", "read_uncommitted":
        consumer = KafkaConsumer(
            bootstrap_servers=job.bootstrap_servers,
            api_version_auto_timeout_ms=PATIENCE_MS,
            isolation_level=level,
            group_id=None,
        )
        with contextlib.closing(consumer):
            found.append(int(consumer.end_offsets([partition])[partition]))
    return found


def await_alert(job: RunningJob, words: str) -> str:
    """What `flink-ol status` shows of the job, once it has ``words`` in it."""
    shell, deadline = Shell(job.path, job.stack), time.monotonic() + DEADLINE_S
    while True:
        jobs = shell.json("status")["jobs"]
        alerts = [alert for one in jobs if one["name"] == job.spec.name for alert in one["alerts"]]
        for alert in alerts:
            if words in alert:
                return str(alert)
        assert time.monotonic() < deadline, alerts
        time.sleep(1)
