"""The whole job on a real broker and a real cluster: learn, answer, publish, set aside."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import numpy as np
import orjson
import pytest
from kafka import KafkaProducer

from flink_ol.core.evaluation import metrics
from flink_ol.local.stack import Stack
from flink_ol.wire.control import encode_command
from flink_ol.wire.metrics import decode_metrics
from tests.plain_loop import assert_same_model, plain_loop
from tests.running_job import RunningJob, json_records, ledger_of

ONE_WORKER = {"samples": {"partitions": 1}, "training": {"workers": 1}}
TWO_WORKERS = {"samples": {"partitions": 2}, "training": {"workers": 2}}


def test_one_worker_equals_a_plain_loop(stack: Stack, tmp_path: Path, job_name: str) -> None:
    job = RunningJob(stack, tmp_path, job_name, **ONE_WORKER)
    records = json_records(1, 20_000)
    job.submit()
    job.feed(records)
    snapshot = job.await_samples(len(records))
    assert ledger_of(snapshot) == job.expected_ledger()
    plain, sums = plain_loop(job.spec, records)
    assert_same_model(snapshot, plain)
    assert snapshot.sums.keys() == sums.keys()
    for name, value in sums.items():
        np.testing.assert_allclose(snapshot.sums[name], value, rtol=1e-9, err_msg=name)


def test_two_workers_learn_answer_and_tell(stack: Stack, tmp_path: Path, job_name: str) -> None:
    job = RunningJob(stack, tmp_path, job_name, **TWO_WORKERS)
    records = json_records(2, 12_000)
    job.submit()
    job.feed(records[:10_000], rate=4_000)
    job.await_samples(10_000)
    with contextlib.closing(KafkaProducer(bootstrap_servers=stack.bootstrap_servers)) as producer:
        for number, record in enumerate(records[10_000:10_050]):
            request = {"x": orjson.loads(record)["x"], "id": number}
            producer.send(job.spec.topics.requests, orjson.dumps(request))
        producer.send(job.spec.topics.requests, b'{"x": [1, ')
        producer.flush()
        job.feed(records[10_000:])
        snapshot = job.await_samples(len(records))

        answers = [orjson.loads(record.value) for record in job.read("predictions", False)]
        by_id = {answer["id"]: answer for answer in answers}
        assert by_id.keys() == {*range(50), None}
        assert "JSON" in by_id.pop(None)["error"]
        truth = [orjson.loads(record)["y"] for record in records[10_000:10_050]]
        right = sum(by_id[number]["prediction"] == truth[number] for number in range(50))
        assert right > 35
        for answer in by_id.values():
            assert sum(answer["probabilities"].values()) == pytest.approx(1.0)
            assert answer["model"]["epoch"] == snapshot.frame.version.epoch

        assert ledger_of(snapshot) == job.expected_ledger()
        assert metrics(snapshot.sums, job.spec.learning)["accuracy"] > 0.8
        assert snapshot.frame.rate_scale == pytest.approx(2.0, rel=0.3)

        told = [decode_metrics(record.value) for record in job.read("metrics", False)]
        assert told[-1]["samples"] == len(records)
        assert told[-1]["workers"] == 2
        versions = [(one["model"]["epoch"], one["model"]["version"]) for one in told]
        assert versions == sorted(versions)

        # the control topic: a snapshot now, though nothing was learned since the last
        before = snapshot.frame.version
        producer.send(job.spec.topics.control, b"no command")
        producer.send(job.spec.topics.control, encode_command("snapshot", "mine"))
        producer.flush()
    deadline = time.monotonic() + 30
    while (newest := job.newest_snapshot()) is None or newest.frame.version == before:
        assert time.monotonic() < deadline, "no snapshot after the command"
        time.sleep(0.5)
    assert ledger_of(newest) == job.expected_ledger()
    told = [decode_metrics(record.value) for record in job.read("metrics", False)]
    assert [one["command"]["id"] for one in told if "command" in one] == ["mine"]


POISON = {
    b'{"x": {"f0": 1.0}, "y"': "JSON",
    b'{"x": {"f0": NaN}, "y": 1}': "",
    b'{"x": {"f0": 1e999}, "y": 1}': "",
    b'{"x": {"f0": 1.0}}': "y",
    b'{"x": {"f0": 1.0}, "y": "maybe"}': "maybe",
    b'{"x": {"f0": [1.0]}, "y": 1}': "f0",
    b'{"y": 1}': "x",
    b"": "empty",
    b"\x00\xff\xfe\x80" * 50: "",
    b'{"x": {"f0": "' + b"a" * (2 << 20) + b'"}, "y": 1}': "bytes",
    b"1,2": "",
    b'{"x": {"f0": 1e300}, "y": 1}': "infinite",
}


def test_poison_becomes_dead_letters_and_nothing_else(
    stack: Stack, tmp_path: Path, job_name: str
) -> None:
    job = RunningJob(stack, tmp_path, job_name, **TWO_WORKERS)
    healthy = json_records(3, 6_000)
    records, poisoned = list(healthy), {}
    for number, payload in enumerate(POISON):
        position = 400 * number + 37 * (number % 2)
        records.insert(position, payload)
        poisoned[position] = payload
    job.submit()
    job.feed(records)
    snapshot = job.await_samples(len(records))

    letters = job.dead_letters()
    where = {(letter.partition, letter.offset): letter for letter in letters}
    expected = {(position % 2, position // 2): payload for position, payload in poisoned.items()}
    assert where.keys() == expected.keys()
    for place, payload in expected.items():
        assert where[place].payload == payload[: 64 << 10], place
        assert where[place].length == len(payload)
        assert POISON[payload] in where[place].reason, where[place]
        assert where[place].topic == job.spec.topics.samples

    assert ledger_of(snapshot) == job.expected_ledger()
    rejected = sum(account.rejected.count for account in snapshot.ledger.values())
    assert rejected == len(POISON)
    assert all(np.isfinite(array).all() for array in snapshot.frame.arrays.values())
    assert job.restarts() == 0
