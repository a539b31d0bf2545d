"""Reading one topic of a job: what is there, and what comes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from kafka import TopicPartition

from flink_ol.client.closing import Closing
from flink_ol.client.connection import Connection
from flink_ol.client.errors import ClientError, kafka_errors, topic_missing

_POLL_S = 0.5  # how long a poll waits, and so how soon a reader notices that its time is over
_STALLED_S = 30.0


class TopicReader(Closing):
    """All partitions of one topic, read without a consumer group.

    Raises BrokerUnreachableError, TopicMissingError. Not to be shared between threads.
    """

    def __init__(self, connection: Connection, topic: str, committed: bool = False) -> None:
        self._address, self.topic = connection.bootstrap_servers, topic
        self._consumer = connection.consumer(committed)
        try:
            with kafka_errors(self._address):
                numbers = self._consumer.partitions_for_topic(topic)
            if not numbers:
                raise topic_missing(topic, self._address)
            self._partitions = [TopicPartition(topic, number) for number in sorted(numbers)]
            self._consumer.assign(self._partitions)
        except BaseException:
            self._consumer.close()
            raise

    def bounds(self) -> dict[int, tuple[int, int]]:
        """By partition, the first offset there is and the one after the last readable."""
        with kafka_errors(self._address):
            first = self._consumer.beginning_offsets(self._partitions)
            end = self._consumer.end_offsets(self._partitions)
        return {part.partition: (first[part], end[part]) for part in self._partitions}

    def seek(self, offsets: dict[int, int]) -> None:
        """Go on at ``offsets``, by partition."""
        for partition, offset in offsets.items():
            self._consumer.seek(TopicPartition(self.topic, partition), offset)

    def seek_to_start(self) -> None:
        """Go on at the oldest record."""
        self.seek({partition: first for partition, (first, _) in self.bounds().items()})

    def seek_to_end(self) -> None:
        """Go on at the first record that is not there yet."""
        self.seek({partition: end for partition, (_, end) in self.bounds().items()})

    def poll(self, wait_s: float) -> list[Any]:
        """Records that have come, each with partition, offset, key and value."""
        with kafka_errors(self._address):
            batches = self._consumer.poll(timeout_ms=max(0, int(wait_s * 1000)))
        return [record for batch in batches.values() for record in batch]

    def present(self) -> Iterator[Any]:
        """The records from here to what is the end now."""
        ends = {partition: end for partition, (_, end) in self.bounds().items()}
        deadline = time.monotonic() + _STALLED_S
        while any(self._position(partition) < end for partition, end in ends.items()):
            for record in self.poll(_POLL_S):
                deadline = time.monotonic() + _STALLED_S
                if record.offset < ends[record.partition]:
                    yield record
            if time.monotonic() > deadline:
                raise ClientError(
                    f"{self.topic} at {self._address}: nothing was received for {_STALLED_S:.0f} s "
                    "although there is more; look at the broker's log"
                )
        # what came in the meantime was fetched with the rest, and belongs to whoever reads next
        self.seek({p: end for p, end in ends.items() if self._position(p) > end})

    def follow(self, timeout_s: float | None = None) -> Iterator[Any]:
        """The records from here on; ends after ``timeout_s`` without one (None: never)."""
        quiet_since = time.monotonic()
        while True:
            left = _POLL_S
            if timeout_s is not None:
                left = min(_POLL_S, quiet_since + timeout_s - time.monotonic())
                if left <= 0:
                    return
            for record in self.poll(left):
                yield record
                quiet_since = time.monotonic()

    def _position(self, partition: int) -> int:
        with kafka_errors(self._address):
            return int(self._consumer.position(TopicPartition(self.topic, partition)))

    def close(self) -> None:
        """Let go of the connection."""
        self._consumer.close()
