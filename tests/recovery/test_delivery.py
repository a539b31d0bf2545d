"""Exactly-once outputs through a kill, and a job that begins with another's model through one."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from pathlib import Path

import orjson
import pytest

from flink_ol.app.flink_rest import FlinkRest
from flink_ol.app.job_health import SILENT_MS
from flink_ol.local.stack import Stack
from flink_ol.wire.dead_letters import decode_dead_letter
from tests.plain_loop import assert_same_model, plain_loop
from tests.running_job import RunningJob, json_records, ledger_of

pytestmark = [pytest.mark.recovery, pytest.mark.battery]

REQUESTS, POISON = 300, 60


def test_answers_and_dead_letters_come_exactly_once_through_a_kill(
    stack: Stack, tmp_path: Path, job_name: str
) -> None:
    once = {"predictions": "exactly_once", "dead_letters": "exactly_once"}
    job = RunningJob(stack, tmp_path, job_name, samples={"partitions": 2}, delivery=once)
    records = json_records(11, 3_000)
    job.submit()
    job.feed(records[:1_000])
    job.await_samples(1_000)
    # a counter is told from its first count on, so the third metric of status is not there
    await_metrics(job, "failedCommittables", "feedback_silence_ms")
    with contextlib.closing(job.producer()) as producer:
        for number in range(REQUESTS):
            if number == REQUESTS // 2:
                stack.kill_task_manager()
                stack.add_task_manager()
            request = {"x": orjson.loads(records[number])["x"], "id": number}
            producer.send(job.spec.topics.requests, orjson.dumps(request))
            if number % 5 == 0:
                producer.send(job.spec.topics.samples, b"poison", partition=0)
                job.produced[0] += 1
            time.sleep(0.02)
        producer.flush()
    job.feed(records[1_000:])
    snapshot = job.await_samples(len(records) + POISON)
    assert ledger_of(snapshot) == job.expected_ledger()
    assert job.restarts() >= 1

    deadline = time.monotonic() + 60
    while True:  # the last transactions end with the next checkpoint
        answered = Counter(orjson.loads(one.value)["id"] for one in job.read("predictions"))
        letters = [decode_dead_letter(record.value) for record in job.read("dead-letters")]
        if len(answered) >= REQUESTS and len(letters) >= POISON:
            break
        assert time.monotonic() < deadline, (len(answered), len(letters))
        time.sleep(1)
    assert answered == Counter(range(REQUESTS))
    assert Counter((one.partition, one.offset) for one in letters).most_common(1)[0][1] == 1
    assert len(letters) == POISON


def await_metrics(job: RunningJob, *names: str) -> None:
    """Return when Flink tells all of ``names``, each being 0 in a healthy job."""
    cluster, deadline = FlinkRest(job.stack.rest_url), time.monotonic() + 40
    while (told := cluster.worst_metrics(job.id, names)).keys() < set(names):
        assert time.monotonic() < deadline, told
        time.sleep(1)
    assert told["failedCommittables"] == 0
    assert told["feedback_silence_ms"] < SILENT_MS


def test_a_job_goes_on_from_anothers_model_also_after_a_kill_before_its_first_checkpoint(
    stack: Stack, tmp_path: Path, job_name: str
) -> None:
    records = json_records(12, 6_000)
    alone = {"samples": {"partitions": 1}, "training": {"workers": 1}}
    first = RunningJob(stack, tmp_path, job_name, **alone)
    first.submit()
    first.feed(records[:3_000])
    first.await_samples(3_000)

    start = {"family": "linear", "start_from": {"topic": first.spec.topics.snapshots}}
    late = {"interval_ms": 25_000}
    second = RunningJob(stack, tmp_path, f"{job_name}-2", model=start, checkpoints=late, **alone)
    second.submit()
    second.feed(records[3_000:3_500])
    time.sleep(5)
    stack.kill_task_manager()
    stack.add_task_manager()
    second.feed(records[3_500:])
    snapshot = second.await_samples(3_000)
    assert second.restarts() >= 1
    assert ledger_of(snapshot) == second.expected_ledger()
    assert_same_model(snapshot, plain_loop(first.spec, records)[0])
    assert snapshot.names.keys() == set(snapshot.frame.keys.tolist())
