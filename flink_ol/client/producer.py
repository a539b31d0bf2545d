"""Sending records to one topic of a job: at least once, acknowledged by all replicas."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from typing import Any, Self

from kafka import KafkaProducer

from flink_ol.client.connection import Connection
from flink_ol.client.errors import DeliveryError, kafka_errors, topic_missing

_MOST_RECORD_BYTES = 9 << 20
_METADATA_S = 10.0


class Producer:
    """Sends to the partitions of one topic and knows what has arrived.

    Raises BrokerUnreachableError, TopicMissingError.
    """

    def __init__(
        self,
        connection: Connection,
        topic: str,
        linger_ms: int = 0,
        batch_bytes: int = 1 << 17,
        compression: str | None = None,
        most_waiting: int = 100_000,
    ) -> None:
        self._address, self.topic = connection.bootstrap_servers, topic
        with closing(connection.consumer(committed=False)) as consumer, kafka_errors(self._address):
            numbers = consumer.partitions_for_topic(topic)
        if not numbers:
            raise topic_missing(topic, self._address)
        self.partitions = len(numbers)
        self._room = threading.Semaphore(most_waiting)
        self._counts = threading.Lock()
        self.sent, self.acknowledged = 0, 0
        self._failed, self._error = 0, None
        with kafka_errors(self._address):
            self._producer = KafkaProducer(
                **connection.arguments(),
                acks="all",
                linger_ms=linger_ms,
                batch_size=batch_bytes,
                compression_type=compression,
                max_request_size=_MOST_RECORD_BYTES,
                allow_auto_create_topics=False,
                max_block_ms=int(_METADATA_S * 1000),
            )

    def send(self, value: bytes, partition: int, key: bytes | None = None) -> Any:
        """Take a record; waits while too many are under way. The future of its metadata."""
        self._room.acquire()
        try:
            with kafka_errors(self._address):
                future = self._producer.send(self.topic, value, key=key, partition=partition)
        except BaseException:
            self._room.release()
            raise
        self.sent += 1
        future.add_callback(self._arrived)
        future.add_errback(self._lost)
        return future

    def _arrived(self, _: Any) -> None:
        with self._counts:
            self.acknowledged += 1
        self._room.release()

    def _lost(self, error: Any) -> None:
        with self._counts:
            self._failed, self._error = self._failed + 1, error
        self._room.release()

    def flush(self, timeout_s: float | None = None) -> None:
        """Wait until everything has arrived. Raises DeliveryError if it has not."""
        began = time.monotonic()
        try:
            with kafka_errors(self._address):
                self._producer.flush(timeout_s)
        finally:
            waited = time.monotonic() - began
            if self.acknowledged < self.sent:
                raise DeliveryError(
                    f"{self.topic}: {self.acknowledged} of {self.sent} records have arrived after "
                    f"{waited:.0f} s of waiting ({self._error or 'no answer'}); send the rest again"
                )

    def close(self, timeout_s: float = 30.0) -> None:
        """Let go of the connection; what has not arrived by then is lost."""
        self._producer.close(timeout=timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: object, *_: object) -> None:
        self.close(0.0 if error else 30.0)
