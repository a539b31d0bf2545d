"""TaskManagers ended between pre-commit and commit, and what committed readers then see."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from flink_ol.app.flink_rest import FlinkRest
from flink_ol.job.spec import Spec
from flink_ol.local.stack import Stack
from tests.recovery.faults import assert_all_there
from tests.recovery.feeding import fed_and_asked
from tests.recovery.freezing import kill_before_commit, open_snapshots
from tests.recovery.watching import Watch
from tests.running_job import RunningJob
from tests.shell import Shell

pytestmark = [pytest.mark.recovery, pytest.mark.battery]

GAP_S = 60.0
DEADLINE_S = 300.0
SECTIONS: dict[str, Any] = {
    "samples": {"partitions": 4},
    "training": {"workers": 4},
    "snapshots": {"interval_ms": 100, "keep": 10_000},
    "checkpoints": {"interval_ms": 2_000},
}


def test_what_was_pre_committed_is_committed_by_the_next_life_whatever_its_workers(
    stack: Stack, tmp_path: Path, job_name: str
) -> None:
    """Each of three kills leaves open what 4, 4 and then 2 writers of answers had pre-committed.

    The lives after them, the first begun by Flink, have 4, 2 and 3 writers.
    """
    once = {"predictions": "exactly_once", "dead_letters": "exactly_once"}
    job = RunningJob(stack, tmp_path, job_name, delivery=once, **SECTIONS)
    job.run()
    with Watch(job) as watch:
        with fed_and_asked(job) as asked:
            for workers in (None, 2, 3):
                held = watch.seen[-1].samples if watch.seen else 0
                watch.await_samples(held + 500, DEADLINE_S)
                kill_before_commit(job)
                hidden, life = open_snapshots(job), watch.seen[-1].version.epoch
                if workers is not None:
                    go_on_with(job, workers)
                else:
                    stack.add_task_manager()
                FlinkRest(stack.rest_url).wait_until_running(job.id, DEADLINE_S)
                runs = time.monotonic()
                watch.await_life(life + 1, DEADLINE_S)
                # a transaction that is left open would hold readers up for its timeout, 15 minutes
                first = next(one.at_s for one in watch.seen if one.version.epoch > life)
                print(f"\ncommitted readers go on {first - runs:.1f} s after the job")
                assert first - runs < GAP_S
                # those of the checkpoint, and none that began after it
                seen = {one.version for one in watch.seen}
                brought = [version for version in hidden if version in seen]
                assert brought
                assert brought == hidden[: len(brought)]
        snapshot = watch.await_samples(sum(job.produced), DEADLINE_S)
    assert_all_there(job, snapshot)
    watch.assert_rising()
    print(f"\nlongest gap without a snapshot {watch.longest_gap_s():.1f} s")
    with Watch(job) as again:
        again.await_samples(sum(job.produced), DEADLINE_S)
    assert {seen.version for seen in watch.seen} <= {seen.version for seen in again.seen}
    assert answers(job, len(asked)) == Counter(asked)


def go_on_with(job: RunningJob, workers: int) -> None:
    """End the job as it is, and run it from its last checkpoint with another number of workers."""
    Shell(job.path, job.stack).call("stop", job.path, "--no-savepoint")
    fields = yaml.safe_load(job.path.read_text())
    job.path.write_text(yaml.safe_dump({**fields, "training": {"workers": workers}}))
    job.spec = Spec.load(job.path)
    job.stack.add_task_manager()
    job.run("--from", "latest")


def answers(job: RunningJob, count: int) -> Counter[int]:
    """How often each request is answered for committed readers, once ``count`` answers are."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        told = Counter(orjson.loads(record.value)["id"] for record in job.read("predictions"))
        if told.total() >= count or time.monotonic() > deadline:
            return told
        time.sleep(1)
