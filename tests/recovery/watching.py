"""A reader of committed snapshots beside the job: what it saw, and when."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Callable
from typing import NamedTuple, Self

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from flink_ol.core.messages import Snapshot, Version
from flink_ol.wire.model_file import decode_snapshot
from flink_ol.wire.parts import Assembler
from tests.running_job import RunningJob, total


class Seen(NamedTuple):
    at_s: float  # time.monotonic()
    version: Version
    samples: int  # learned or rejected


class Watch:
    """Follows a job's snapshots as read_committed sees them, in a thread, until the block ends."""

    def __init__(self, job: RunningJob) -> None:
        self._job = job
        self.seen: list[Seen] = []
        self.newest: Snapshot | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _follow(self) -> None:
        consumer = KafkaConsumer(
            bootstrap_servers=self._job.bootstrap_servers,
            isolation_level="read_committed",
            enable_auto_commit=False,
            group_id=None,
            max_partition_fetch_bytes=16 << 20,
            fetch_max_wait_ms=100,
        )
        assembler = Assembler()
        with contextlib.closing(consumer):
            partition = TopicPartition(f"{self._job.spec.name}.snapshots", 0)
            consumer.assign([partition])
            consumer.seek_to_beginning(partition)
            while not self._ended.is_set():
                try:
                    polled = consumer.poll(timeout_ms=200)
                except KafkaError:
                    continue  # the broker is being hurt
                for record in itertools.chain.from_iterable(polled.values()):
                    if record.value is not None:
                        self._take(assembler.add(record.value))

    def _take(self, message: bytes | None) -> None:
        if message is not None:
            snapshot = decode_snapshot(message)
            held = total(snapshot.ledger.values())
            self.newest = snapshot
            self.seen.append(Seen(time.monotonic(), snapshot.frame.version, held))

    def await_samples(self, count: int, timeout_s: float) -> Snapshot:
        """The first snapshot seen that holds ``count`` samples."""
        return self.await_snapshot(lambda seen: total(seen.ledger.values()) >= count, timeout_s)

    def await_life(self, epoch: int, timeout_s: float) -> Snapshot:
        """The first snapshot seen of ``epoch`` or a later one."""
        return self.await_snapshot(lambda seen: seen.frame.version.epoch >= epoch, timeout_s)

    def await_snapshot(self, reached: Callable[[Snapshot], bool], timeout_s: float) -> Snapshot:
        """The newest snapshot once it has ``reached`` what is waited for."""
        deadline = time.monotonic() + timeout_s
        while True:
            newest, last = self.newest, self.seen[-1] if self.seen else None
            if newest is not None and reached(newest):
                return newest
            pace = None if newest is None else newest.frame.pace
            assert time.monotonic() < deadline, f"{last}, {pace} after {timeout_s} s"
            time.sleep(0.05)

    def recovered_s(self, hurt_at: float) -> float:
        """Seconds from ``hurt_at`` to the first snapshot of a life begun after it, or infinite.

        A life's epoch is the wall clock's milliseconds at its start: what the life before had
        already written may still be seen a moment after the fault.
        """
        hurt_ms = (time.time() - time.monotonic() + hurt_at) * 1_000
        later = (seen.at_s for seen in self.seen if seen.version.epoch > hurt_ms)
        return next(later, float("inf")) - hurt_at

    def longest_gap_s(self) -> float:
        """The longest time without a new snapshot."""
        return max(b.at_s - a.at_s for a, b in itertools.pairwise(self.seen))

    def assert_rising(self) -> None:
        """Neither versions nor the samples in them ever fall."""
        for one, other in itertools.pairwise(self.seen):
            assert one.version < other.version
            assert one.samples <= other.samples
