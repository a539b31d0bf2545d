"""Sending records to one topic of a job, in blocks.

kafka-python's producer does the talking (connections, leaders, retries, idempotence); blocks of
records that are encoded already go straight into its queue, since taking records one by one costs
it more than everything else here together.
"""

from __future__ import annotations

import threading
import time
from typing import Any, NamedTuple, Self

from kafka import KafkaProducer, TopicPartition
from kafka.producer.producer_batch import ProducerBatch

from flink_ol.client.block import Block
from flink_ol.client.connection import Connection
from flink_ol.client.errors import ClientError, DeliveryError, kafka_errors, topic_missing

MOST_RECORD_BYTES = 8 << 20
_MOST_RECORDS = 20_000  # in a block
_MOST_UNDER_WAY_BYTES = 32 << 20
_METADATA_S = 10.0
_CLOSE_S = 30.0


class Receipt(NamedTuple):
    """Which record of which block: tells where a record lies once it has arrived."""

    block: Block
    partition: int
    rank: int

    @property
    def offset(self) -> int | None:
        """The record's offset, None while it has not arrived. Raises DeliveryError."""
        if self.block.error is not None:
            raise DeliveryError(f"a record has not arrived ({self.block.error}); send it again")
        base = self.block.base_offset
        return None if base is None else base + self.rank


class Producer:
    """Sends to the partitions of one topic, and knows what has arrived.

    Every record arrives once, in the order of its partition, and is acknowledged by all replicas
    (acks=all, idempotent); one that does not arrive within ``delivery_s`` is an error of
    :meth:`flush` and of the sending that follows. A block is sent when it has ``block_bytes`` or
    ``linger_ms`` have passed. Sending waits while too much is under way. Thread-safe.

    Raises BrokerUnreachableError, TopicMissingError.
    """

    def __init__(
        self,
        connection: Connection,
        topic: str,
        *,
        linger_ms: int = 5,
        block_bytes: int = 1 << 18,
        compress: bool = False,
        delivery_s: float = 120.0,
    ) -> None:
        self._address, self.topic = connection.bootstrap_servers, topic
        self._linger_s, self._block_bytes, self._compress = linger_ms / 1000, block_bytes, compress
        self.sent, self.acknowledged = 0, 0
        self._error: BaseException | None = None
        self._open: dict[int, Block] = {}
        self._under_way_bytes = 0
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._closed = False
        settings = {
            "acks": "all",
            "enable_idempotence": True,
            "allow_auto_create_topics": False,
            "max_request_size": 2 * MOST_RECORD_BYTES,
            "max_block_ms": int(_METADATA_S * 1000),
            "request_timeout_ms": min(30_000, int(delivery_s * 1000)),
            "delivery_timeout_ms": int(delivery_s * 1000),
        }
        with kafka_errors(self._address):
            self._producer = KafkaProducer(**{**settings, **connection.arguments()})
        try:
            self.partitions = self._count_partitions(connection)
        except BaseException:
            self._producer.close(0)
            raise
        self._lingering = threading.Thread(target=self._linger, name="linger", daemon=True)
        self._lingering.start()

    def _count_partitions(self, connection: Connection) -> int:
        consumer = connection.consumer(committed=False)
        try:
            with kafka_errors(self._address):
                if not (numbers := consumer.partitions_for_topic(self.topic)):
                    raise topic_missing(self.topic, self._address)
                self._producer.partitions_for(self.topic)
        finally:
            consumer.close()
        return len(numbers)

    def send(self, value: bytes, partition: int, key: bytes | None = None) -> Receipt:
        """Take one record; ValueError if it is larger than Kafka is set to take."""
        if len(value) + len(key or b"") > MOST_RECORD_BYTES:
            raise ValueError(
                f"{self.topic}: a record of {len(value)} bytes; at most {MOST_RECORD_BYTES}"
            )
        with self._lock:
            block = self._open.get(partition)
            if block is None:
                self._make_room()
                block = self._open[partition] = Block(self._compress)
                self._changed.notify_all()
            receipt = Receipt(block, partition, block.add(value, key))
            self.sent += 1
            if block.bytes >= self._block_bytes or len(block.values) >= _MOST_RECORDS:
                self._dispatch(partition)
        return receipt

    def send_block(self, values: list[bytes], partition: int) -> None:
        """Take many small records at once: much faster than one by one."""
        for start in range(0, len(values), _MOST_RECORDS):
            part = values[start : start + _MOST_RECORDS]
            if sum(map(len, part)) > MOST_RECORD_BYTES:
                for value in part:
                    self.send(value, partition)
                continue
            with self._lock:
                self._make_room()
                if partition in self._open:
                    self._dispatch(partition)  # what came before goes before
                block = self._open[partition] = Block(self._compress)
                block.extend(part)
                self.sent += len(part)
                self._dispatch(partition)

    def seal(self) -> None:
        """Send what has been taken without waiting for more."""
        with self._lock:
            for partition in list(self._open):
                self._dispatch(partition)

    def _make_room(self) -> None:
        """Wait while too much is under way; the lock is held."""
        if self._closed:
            raise ClientError(f"{self.topic}: the producer is closed")
        while self._under_way_bytes > _MOST_UNDER_WAY_BYTES and self._error is None:
            self._changed.wait()
        if self._error is not None:
            raise self._undelivered()

    def _dispatch(self, partition: int) -> None:
        """Hand the partition's block to kafka-python; the lock is held, so order is kept."""
        block = self._open.pop(partition)
        block.seal()
        self._under_way_bytes += block.bytes
        place = TopicPartition(self.topic, partition)
        batch = ProducerBatch(place, block)
        batch.produce_future.add_callback(self._settled, block)
        queue = self._producer._accumulator
        with queue._tp_lock(place):
            queue._batches[place].append(batch)
            queue._incomplete.add(batch)
        self._producer._sender.wakeup()

    def _settled(self, block: Block, result: tuple[int, int, Any]) -> None:
        base_offset, _, error_of = result
        with self._lock:
            self._under_way_bytes -= block.bytes
            if error_of is None:
                block.base_offset = base_offset
                self.acknowledged += len(block)
            else:
                block.error = self._error = error_of(0)
            self._changed.notify_all()

    def _linger(self) -> None:
        while True:
            with self._lock:
                while not self._open and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
            time.sleep(self._linger_s)
            self.seal()

    def flush(self, timeout_s: float | None = None) -> None:
        """Wait until everything has arrived. Raises DeliveryError if it has not."""
        self.seal()
        self._producer._sender.wakeup()
        with self._lock:
            wanted = self.sent
            self._changed.wait_for(
                lambda: self.acknowledged >= wanted or self._error is not None, timeout_s
            )
            if self.acknowledged < wanted:
                raise self._undelivered()

    def _undelivered(self) -> DeliveryError:
        why = f": {self._error}" if self._error is not None else " within the time limit"
        return DeliveryError(
            f"{self.topic} at {self._address}: {self.acknowledged} of {self.sent} records have "
            f"arrived{why}; is the broker well?"
        )

    def close(self, timeout_s: float = _CLOSE_S) -> None:
        """Let go of the connection; what has not arrived by then is lost."""
        with self._lock:
            self._closed = True
            for partition in list(self._open):
                self._dispatch(partition)
            self._changed.notify_all()
        self._lingering.join()
        self._producer.close(timeout=timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        self.close(_CLOSE_S if error is None else 0.0)
