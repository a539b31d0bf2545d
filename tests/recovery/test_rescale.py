"""Savepoint, stop and go on: with other numbers of workers, with other settings."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from flink_ol.local.stack import Stack
from tests.plain_loop import assert_same_model, plain_loop
from tests.running_job import RunningJob, json_records, ledger_of
from tests.shell import Shell

pytestmark = pytest.mark.recovery


@pytest.mark.battery
def test_every_change_of_workers_keeps_every_sample(
    stack: Stack, tmp_path: Path, job_name: str
) -> None:
    job = RunningJob(stack, tmp_path, job_name, samples={"partitions": 4}, training={"workers": 2})
    shell, records = Shell(job.path, stack), json_records(6, 60_000)
    shell.json("run", job.path)
    job.feed(records[:2_000])
    first = job.await_samples(2_000)
    over = threading.Event()
    feeding = threading.Thread(target=feed_until, args=(job, records[2_000:], 400, over))
    feeding.start()
    try:
        for workers in (4, 3, 1, 4):
            told = shell.json("rescale", job.path, "--workers", str(workers))
            assert told["workers"] == workers
            job.id = told["job_id"]
    finally:
        over.set()
        feeding.join()
    snapshot = job.await_samples(sum(job.produced))
    assert ledger_of(snapshot) == job.expected_ledger()
    assert sum(account.rejected.count for account in snapshot.ledger.values()) == 0
    assert snapshot.frame.version > first.frame.version
    assert job.restarts() == 0

    # the same question to each of the four replicas
    asked = orjson.loads(records[0])["x"]
    answers = ask_everywhere(job, asked)
    assert len(answers) == 4
    assert len({(a["model"]["epoch"], a["model"]["version"]) for a in answers}) == 1
    assert len({tuple(a["probabilities"].items()) for a in answers}) == 1


def test_a_changed_rate_is_taken_up_and_a_changed_loss_refused_before_anything_starts(
    stack: Stack, tmp_path: Path, job_name: str
) -> None:
    job = RunningJob(stack, tmp_path, job_name, samples={"partitions": 1}, training={"workers": 1})
    shell, records = Shell(job.path, stack), json_records(7, 8_000)
    # as by hand, with `flink run`
    job.submit()
    job.feed(records[:4_000])
    before = job.await_samples(4_000)
    assert_same_model(before, plain_loop(job.spec, records[:4_000])[0])
    shell.call("stop", job.path, "--no-savepoint")

    fields = yaml.safe_load(job.path.read_text())
    job.path.write_text(yaml.safe_dump({**fields, "loss": {"name": "hinge"}}))
    said = shell.call("run", job.path, "--from", "latest", code=2)
    assert "loss.name: logistic -> hinge: the model's scores mean something else" in said

    rate = {"optimizer": {"name": "sgd", "learning_rate": 1e-9, "intercept_learning_rate": 0.0}}
    job.path.write_text(yaml.safe_dump({**fields, **rate}))
    again = shell.ended("run", job.path, "--from", "latest", "--json")
    assert again.returncode == 0, again.stderr
    assert b"optimizer.learning_rate: 0.01 -> 1e-09" in again.stderr
    assert f"/{job_name}/" in orjson.loads(again.stdout)["from"]
    job.feed(records[4_000:])
    after = job.await_samples(8_000)
    assert ledger_of(after) == job.expected_ledger()
    assert after.frame.arrays["weights"] == pytest.approx(before.frame.arrays["weights"], abs=1e-5)


def feed_until(job: RunningJob, records: Any, rate: float, over: threading.Event) -> None:
    """Feed at ``rate`` per second in bursts until ``over``, or until there are no more."""
    burst = int(rate) // 2
    for start in range(0, len(records), burst):
        if over.is_set():
            return
        job.feed(records[start : start + burst])
        time.sleep(0.5)


def ask_everywhere(job: RunningJob, features: Any) -> list[dict[str, Any]]:
    """The answers to one request sent to every partition of the requests topic."""
    partitions = job.spec.kafka.partitions
    request = orjson.dumps({"x": features, "id": "everywhere"})
    with contextlib.closing(job.producer()) as producer:
        for partition in range(partitions):
            producer.send(job.spec.topics.requests, request, partition=partition)
        producer.flush()
    deadline = time.monotonic() + 30
    while True:
        told = [orjson.loads(record.value) for record in job.read("predictions")]
        found = [answer for answer in told if answer["id"] == "everywhere"]
        if len(found) >= partitions or time.monotonic() > deadline:
            return found
        time.sleep(0.5)
