"""A job on the test stack, and what stands outside it: what was produced, what readers see."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from flink_ol.app.flink_rest import FlinkRest
from flink_ol.core.ledger import Account, Tally
from flink_ol.core.messages import Snapshot
from flink_ol.job.spec import Spec
from flink_ol.job.topics import ensure_topics
from flink_ol.local.stack import Stack
from flink_ol.wire.dead_letters import DeadLetterRecord, decode_dead_letter
from flink_ol.wire.model_file import decode_snapshot
from flink_ol.wire.parts import Assembler

PATIENCE_MS = 30_000  # a broker answers late while a job starts beside it
ENTRY = Path(__file__).parent.parent / "jobs" / "train.py"
ENTRY_OF_SEVERAL = Path(__file__).parent / "train_several.py"


class RunningJob:
    """Submits a job and talks to its topics; ends with the test's stack fixture."""

    def __init__(self, stack: Stack, folder: Path, name: str, **sections: Any) -> None:
        self.stack = stack
        self.path = folder / f"{name}.yaml"
        fields: dict[str, Any] = {
            "name": name,
            "kafka": {"bootstrap_servers": stack.bootstrap_servers},
            "snapshots": {"interval_ms": 500},
            "checkpoints": {"interval_ms": 1000},
            **sections,
        }
        self.path.write_text(yaml.safe_dump(fields))
        self.spec = Spec.load(self.path)
        self.bootstrap_servers = self.spec.kafka.bootstrap_servers
        ensure_topics(self.spec)
        self.produced = [0] * self.spec.samples.partitions
        self.id = ""

    def submit(self, *options: str) -> None:
        self.id = self.stack.submit([*options, "-py", ENTRY, self.path])

    def run(self, *options: str) -> None:
        """What a user calls: ``flink-ol run SPEC OPTIONS``, which knows the job's checkpoints."""
        answer = subprocess.run(
            [sys.executable, "-m", "flink_ol.app", "run", str(self.path), "--json", *options],
            env=os.environ | {"FLINK_OL_FOLDER": str(self.stack.folder)},
            capture_output=True,
            timeout=240,
            check=False,
        )
        assert answer.returncode == 0, answer.stderr.decode()
        self.id = json.loads(answer.stdout)["job_id"]

    def feed(
        self,
        records: Iterable[bytes],
        rate: float | None = None,
        partitions: Iterable[int] | None = None,
    ) -> None:
        """Send to the partitions (all) in turn, at ``rate`` records per second in all."""
        turns = itertools.cycle(partitions or range(self.spec.samples.partitions))
        started = time.monotonic()
        with contextlib.closing(
            KafkaProducer(
                bootstrap_servers=self.bootstrap_servers,
                api_version_auto_timeout_ms=PATIENCE_MS,
                enable_idempotence=True,  # a broker that is killed must not make records come twice
                delivery_timeout_ms=300_000,
                linger_ms=5,
                batch_size=1 << 17,
                max_request_size=9 << 20,
            )
        ) as producer:
            for number, (record, partition) in enumerate(zip(records, turns, strict=False)):
                producer.send(self.spec.topics.samples, record, partition=partition)
                self.produced[partition] += 1
                if rate is not None and number % 20 == 0:
                    time.sleep(max(0.0, started + number / rate - time.monotonic()))
            producer.flush()

    def producer(self) -> KafkaProducer:
        """For single records, to whatever topic; the caller closes it."""
        return KafkaProducer(
            bootstrap_servers=self.bootstrap_servers, api_version_auto_timeout_ms=PATIENCE_MS
        )

    def expected_ledger(self) -> dict[int, Tally]:
        """Learned and rejected together: every offset once."""
        return {
            partition: Tally.of(np.arange(count, dtype=np.int64))
            for partition, count in enumerate(self.produced)
            if count
        }

    def read(self, topic: str, committed: bool = True) -> list[Any]:
        """All records that are in ``NAME.topic`` now, partition after partition."""
        consumer = KafkaConsumer(
            bootstrap_servers=self.bootstrap_servers,
            api_version_auto_timeout_ms=PATIENCE_MS,
            isolation_level="read_committed" if committed else "read_uncommitted",
            enable_auto_commit=False,
            max_partition_fetch_bytes=16 << 20,
        )
        with contextlib.closing(consumer):
            name = f"{self.spec.name}.{topic}"
            partitions = [TopicPartition(name, p) for p in _partitions(consumer, name)]
            consumer.assign(partitions)
            consumer.seek_to_beginning()
            ends = consumer.end_offsets(partitions)
            records: list[Any] = []
            deadline = time.monotonic() + 20
            while any(consumer.position(p) < ends[p] for p in partitions):
                for batch in consumer.poll(timeout_ms=200).values():
                    records += batch
                if time.monotonic() > deadline:
                    break  # the end is a transaction that is still open
            return records

    def in_topic(self) -> list[int]:
        """How many samples each partition of the topic holds; none was ever deleted."""
        consumer = KafkaConsumer(
            bootstrap_servers=self.bootstrap_servers,
            api_version_auto_timeout_ms=PATIENCE_MS,
            group_id=None,
        )
        with contextlib.closing(consumer):
            numbers = range(self.spec.samples.partitions)
            partitions = [TopicPartition(self.spec.topics.samples, p) for p in numbers]
            ends = consumer.end_offsets(partitions)
            return [int(ends[partition]) for partition in partitions]

    def newest_snapshot(self) -> Snapshot | None:
        """The newest snapshot that a committed reader can put together."""
        assembler, newest = Assembler(), None
        for record in self.read("snapshots"):
            if record.value is not None:
                newest = assembler.add(record.value) or newest
        return None if newest is None else decode_snapshot(newest)

    def await_samples(self, count: int, timeout_s: float = 120) -> Snapshot:
        """The first snapshot seen that holds ``count`` samples, learned or rejected."""
        deadline = time.monotonic() + timeout_s
        while True:
            snapshot = self.newest_snapshot()
            held = 0 if snapshot is None else total(snapshot.ledger.values())
            if snapshot is not None and held >= count:
                return snapshot
            assert time.monotonic() < deadline, f"{held} of {count} samples after {timeout_s} s"
            time.sleep(0.5)

    def restarts(self) -> int:
        """How often Flink started the job again."""
        return FlinkRest(self.stack.rest_url).restarts(self.id)

    def failures(self) -> list[str]:
        """Stack traces of what the job was restarted for."""
        return FlinkRest(self.stack.rest_url).failures(self.id)

    def dead_letters(self) -> list[DeadLetterRecord]:
        """Every dead letter, once each: the topic is written at least once."""
        found = {}
        for record in self.read("dead-letters", committed=False):
            letter = decode_dead_letter(record.value)
            found[letter.partition, letter.offset] = letter
        return [found[key] for key in sorted(found)]


def submit_together(jobs: Sequence[RunningJob]) -> None:
    """One client for all of them: its start takes longer than a job's submission."""
    paths = [job.path for job in jobs]
    printed = jobs[0].stack.flink(["run", "--detached", "-py", ENTRY_OF_SEVERAL, *paths])
    ids = re.findall(r"JobID ([0-9a-f]{32})", printed)
    assert len(ids) == len(jobs), printed
    for job, job_id in zip(jobs, ids, strict=True):
        job.id = job_id


def _partitions(consumer: KafkaConsumer, topic: str) -> set[int]:
    """Of a topic that exists; a busy broker tells its partitions a little later."""
    deadline = time.monotonic() + 30
    while True:
        if found := consumer.partitions_for_topic(topic):
            return set(found)
        assert time.monotonic() < deadline, f"the broker tells no partitions of {topic}"
        time.sleep(0.2)


def total(accounts: Iterable[Account]) -> int:
    return sum(account.learned.count + account.rejected.count for account in accounts)


def ledger_of(snapshot: Snapshot) -> dict[int, Tally]:
    """Learned and rejected together, by partition."""
    return {p: account.learned.join(account.rejected) for p, account in snapshot.ledger.items()}


def json_records(seed: int, count: int, features: int = 4) -> Sequence[bytes]:
    """Binary samples of a noisy linear rule, some of whose features have large means."""
    import orjson

    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, features)) * np.logspace(0, 2, features) + 5.0
    rule = np.linspace(-1, 1, features) / np.logspace(0, 2, features)
    labels = ((x - 5.0) @ rule + 0.3 * rng.normal(size=count) > 0).astype(int).tolist()
    return [
        orjson.dumps({"x": {f"f{j}": value for j, value in enumerate(row)}, "y": label})
        for row, label in zip(x.tolist(), labels, strict=True)
    ]
