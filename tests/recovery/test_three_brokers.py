"""Three brokers with three copies of everything: each is killed in turn while the job learns."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from flink_ol.local import broker, processes
from flink_ol.local.broker import Broker
from flink_ol.local.java import find_java
from flink_ol.local.processes import ProcessRecord
from flink_ol.local.stack import Stack
from tests.recovery.faults import WARM_UP, assert_all_there
from tests.recovery.feeding import fed
from tests.recovery.watching import Watch
from tests.running_job import RunningJob, json_records

pytestmark = [pytest.mark.recovery, pytest.mark.battery]

START_S = 180.0
AWAY_S = 5.0  # how long a broker stays dead
DEADLINE_S = 300.0
RATE = 1_000.0


class Brokers:
    """Processes of a Kafka cluster that belongs to one test."""

    def __init__(self, folder: Path) -> None:
        self._java, self._id = find_java(), uuid.uuid4().hex
        self._brokers = broker.create_cluster(folder, self._java, 3)
        self._running: dict[Broker, ProcessRecord] = {}

    @property
    def bootstrap_servers(self) -> str:
        return ",".join(one.bootstrap_servers for one in self._brokers)

    def start(self, *chosen: int) -> None:
        """Returns when all three answer and have a copy of every partition."""
        for number in chosen:
            one = self._brokers[number]
            self._running[one] = broker.start(one, self._java, self._id)
        for number in chosen:
            one = self._brokers[number]
            broker.wait_ready(one, self._running[one], START_S)
        self._await_copies()

    def kill(self, number: int) -> None:
        process = processes.find(self._running[self._brokers[number]])
        assert process is not None
        processes.end([process], grace_s=0)

    def down(self) -> None:
        processes.end_marked(self._id, grace_s=0)

    def _await_copies(self) -> None:
        """What is not in step may not lead, and with two such a topic would stand still."""
        deadline = time.monotonic() + START_S
        while True:
            with contextlib.suppress(KafkaError):
                if not (behind := self._behind()):
                    return
            assert time.monotonic() < deadline, f"copies of {behind} are behind"
            time.sleep(0.5)

    def _behind(self) -> list[str]:
        servers = self.bootstrap_servers
        with contextlib.closing(KafkaAdminClient(bootstrap_servers=servers)) as admin:
            alive = len(admin.describe_cluster()["brokers"])
            topics = admin.describe_topics()
        return [f"{alive} of {len(self._brokers)} brokers"] * (alive < len(self._brokers)) + [
            topic["topic"]
            for topic in topics
            if any(len(part["isr"]) < len(self._brokers) for part in topic["partitions"])
        ]


@pytest.fixture
def brokers(tmp_path: Path) -> Iterator[Brokers]:
    cluster = Brokers(tmp_path / "kafka")
    try:
        cluster.start(0, 1, 2)
        yield cluster
    finally:
        cluster.down()


def test_three_brokers_killed_in_turn_cost_no_sample_and_no_snapshot(
    brokers: Brokers, stack: Stack, tmp_path: Path, job_name: str
) -> None:
    job = RunningJob(
        stack,
        tmp_path,
        job_name,
        kafka={"bootstrap_servers": brokers.bootstrap_servers},
        samples={"partitions": 4},
        training={"workers": 2},
        snapshots={"interval_ms": 500, "keep": 10_000},
    )
    records = json_records(41, 20_000)
    job.submit()
    with Watch(job) as watch:
        job.feed(records[:WARM_UP])
        watch.await_samples(WARM_UP, DEADLINE_S)
        with fed(job, records, RATE):
            for number in range(3):
                held = watch.seen[-1].samples
                watch.await_samples(held + 2_000, DEADLINE_S)
                brokers.kill(number)
                time.sleep(AWAY_S)
                brokers.start(number)
        snapshot = watch.await_samples(sum(job.produced), DEADLINE_S)
    assert_all_there(job, snapshot)
    watch.assert_rising()
    print(f"\nrestarts {job.restarts()}, longest gap {watch.longest_gap_s():.1f} s")
    assert watch.longest_gap_s() < 60
    with Watch(job) as again:
        again.await_samples(sum(job.produced), DEADLINE_S)
    assert {seen.version for seen in watch.seen} <= {seen.version for seen in again.seen}
