"""What goes wrong outside of the job: bad records, ghosts, silence, checkpoints without a place."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kafka import KafkaProducer

from flink_ol.core.messages import Version, Worker
from flink_ol.local.stack import Stack
from flink_ol.wire.frames import decode_frame, encode_frame
from flink_ol.wire.parts import Assembler, split
from tests.plain_loop import assert_same_model, plain_loop
from tests.recovery.faults import assert_all_there
from tests.running_job import RunningJob, json_records

pytestmark = [pytest.mark.recovery, pytest.mark.battery]

POISON = (b"\x00\xff", b"{", b"[]", b'{"x": {"f0": 1}}', b'{"x": {"f0": NaN}, "y": 1}')


def ask(job: RunningJob, path: str) -> Any:
    with urllib.request.urlopen(f"{job.stack.rest_url}/jobs/{job.id}{path}", timeout=10) as answer:
        return json.load(answer)


def trainers_metric(job: RunningJob, name: str) -> int:
    """The sum of a metric over the trainers' subtasks."""
    for vertex in ask(job, "")["vertices"]:
        place = f"/vertices/{vertex['id']}/subtasks/metrics"
        for metric in ask(job, place):
            if metric["id"].endswith(name):
                return int(ask(job, f"{place}?get={metric['id']}&agg=sum")[0]["sum"])
    return 0


def test_a_thousand_bad_records_become_a_thousand_dead_letters(
    stack: Stack, tmp_path: Path, job_name: str
) -> None:
    job = RunningJob(stack, tmp_path, job_name, samples={"partitions": 4}, training={"workers": 2})
    records = list(json_records(10, 20_000)) * 5
    rng = random.Random(10)
    bad = sorted(rng.sample(range(len(records)), 1_000))
    for number in bad:
        records[number] = rng.choice(POISON)
    job.submit()
    job.feed(records)
    snapshot = job.await_samples(len(records))
    assert_all_there(job, snapshot)
    expected = sorted((number % 4, number // 4) for number in bad)
    assert [(letter.partition, letter.offset) for letter in job.dead_letters()] == expected
    assert sum(account.rejected.count for account in snapshot.ledger.values()) == 1_000
    assert job.restarts() == 0


def test_frames_of_other_lives_change_nothing_and_are_counted(
    stack: Stack, tmp_path: Path, job_name: str
) -> None:
    job = RunningJob(stack, tmp_path, job_name, samples={"partitions": 1}, training={"workers": 1})
    records = list(json_records(11, 12_000))
    job.submit()
    job.feed(records[:4_000])
    before = job.await_samples(4_000)
    sent = [record.value for record in job.read("weights")]
    message = Assembler().add(sent[-1])
    assert message is not None
    frame = decode_frame(message)
    forged = frame._replace(
        version=Version(frame.version.epoch + 10**9, 1),
        workers=(Worker(0, 1),),
        arrays={name: np.full_like(array, 1e6) for name, array in frame.arrays.items()},
    )
    stack.kill_python_worker()  # what was sent until now is of another life
    ghosts = [*sent, *split(encode_frame(forged)), b"no frame at all"]
    with contextlib.closing(KafkaProducer(bootstrap_servers=stack.bootstrap_servers)) as producer:
        for part in records[4_000:8_000], records[8_000:]:
            for ghost in ghosts:
                producer.send(f"{job_name}.weights", ghost)
            producer.flush()
            job.feed(part, rate=1_000)
    snapshot = job.await_samples(len(records))
    assert_all_there(job, snapshot)
    assert before.frame.version < snapshot.frame.version < forged.version
    assert_same_model(snapshot, plain_loop(job.spec, records)[0])
    assert trainers_metric(job, "ghost_frames") >= len(sent)


def test_idle_partitions_and_a_silent_control_topic_hold_nothing_up(
    stack: Stack, tmp_path: Path, job_name: str
) -> None:
    job = RunningJob(stack, tmp_path, job_name, samples={"partitions": 4}, training={"workers": 4})
    job.submit()
    for numbers in (slice(0, 3_000), slice(3_000, 6_000)):
        job.feed(json_records(12, 6_000)[numbers], partitions=[0, 2])
        snapshot = job.await_samples(sum(job.produced), timeout_s=60)
    assert_all_there(job, snapshot)
    assert set(snapshot.ledger) == {0, 2}
    assert job.restarts() == 0


@contextlib.contextmanager
def no_folder(folder: Path) -> Iterator[None]:
    """A file stands where the folder was: root, too, can write nothing under it."""
    aside = folder.with_name("aside")
    folder.rename(aside)
    folder.write_text("")
    yield
    folder.unlink()
    aside.rename(folder)


@contextlib.contextmanager
def no_space(folder: Path) -> Iterator[None]:
    """The file system of the folder is full."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as stream, contextlib.suppress(OSError):
        while stream.write(bytes(1 << 12)) == 1 << 12:
            pass
    assert shutil.disk_usage(folder).free == 0
    yield
    filler.unlink()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small file system can be mounted by root alone")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("fault", [no_folder, no_space])
def test_a_job_outlives_checkpoints_that_cannot_be_written(
    stack: Stack, small_disk: Path, tmp_path: Path, job_name: str, fault: Any
) -> None:
    folder = small_disk / "checkpoints"
    folder.mkdir()
    job = RunningJob(
        stack,
        tmp_path,
        job_name,
        samples={"partitions": 1},
        training={"workers": 1},
        checkpoints={"interval_ms": 1000, "directory": folder.as_uri()},
    )
    records = list(json_records(13, 12_000))
    job.submit()
    job.feed(records[:4_000])
    before = job.await_samples(4_000)
    with fault(folder):
        job.feed(records[4_000:8_000])
        deadline = time.monotonic() + 90
        while not job.restarts():  # the fourth failure in a row is one too many
            assert time.monotonic() < deadline, ask(job, "/checkpoints")["counts"]
            time.sleep(0.5)
    job.feed(records[8_000:])
    snapshot = job.await_samples(len(records))
    assert_all_there(job, snapshot)
    assert before.frame.version < snapshot.frame.version
    assert_same_model(snapshot, plain_loop(job.spec, records)[0])
