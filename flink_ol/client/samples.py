"""Sending samples to a job."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Self

import numpy as np
import orjson
from kafka.partitioner.default import murmur2

from flink_ol.client.connection import Connection
from flink_ol.client.packing import MOST_ROWS, Packing
from flink_ol.client.producer import Producer
from flink_ol.wire.arrow_samples import ArrowFields
from flink_ol.wire.json_arrays import encoded_array
from flink_ol.wire.json_samples import JsonFields

_MESSAGE_BYTES = 900_000  # of a matrix: with what frames it, below Kafka's usual limit
_RECORDS_IN_TURN = 500  # to a partition, before the next one has its turn
_PACED_EVERY_S = 0.005  # how finely a rate is kept


class SampleWriter:
    """Sends samples to ``NAME.samples``, to its partitions in turn unless told otherwise.

    A sample is the bytes of a record, or a mapping that becomes one in JSON. ``rate``: samples
    per second, kept evenly; None: as fast as Kafka takes them. ``fields``: the names of the parts
    of a record, if the specification has others than the defaults; for :meth:`send_arrays`. With
    ArrowFields mappings and arrays are packed as Arrow, up to 1,000 samples a message, which waits
    for more for ``linger_ms``; what is counted are then messages.

    Raises BrokerUnreachableError, TopicMissingError; DeliveryError when what was sent does not
    arrive. Memory is bounded: sending waits while too much is under way.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        rate: float | None = None,
        linger_ms: int = 20,
        compress: bool = False,
        fields: JsonFields | ArrowFields | None = None,
    ) -> None:
        self._producer = Producer(
            connection, connection.topics.samples, linger_ms=linger_ms, compress=compress
        )
        self._fields = fields or JsonFields()
        self._packing: Packing | None = None
        if isinstance(self._fields, ArrowFields):
            self._packing = Packing(self._fields, self._send_packed, linger_ms / 1000)
        self._rate, self._began, self._paced = rate, 0.0, 0
        self._next = 0
        self.by_partition: Counter[int] = Counter()

    @property
    def partitions(self) -> int:
        """Of the samples topic."""
        return self._producer.partitions

    @property
    def sent(self) -> int:
        """Samples that were taken for sending."""
        return self._producer.sent

    @property
    def acknowledged(self) -> int:
        """Samples that have arrived."""
        return self._producer.acknowledged

    def send(
        self,
        sample: bytes | Mapping[str, Any],
        partition: int | None = None,
        key: bytes | str | None = None,
    ) -> None:
        """Send one sample: to ``partition``, or that of ``key`` as other Kafka clients have it."""
        plain = key.encode() if isinstance(key, str) else key
        if partition is None:
            if plain is not None:
                partition = (murmur2(plain) & 0x7FFFFFFF) % self.partitions
            else:
                partition = self._turn()
        else:
            self._check(partition)
        if self._rate is not None:
            self._pace(self._rate)
        if self._packing is not None and not isinstance(sample, bytes):
            self._packing.add(sample, partition)
            return
        if self._packing is not None:
            self._packing.flush()  # what came before goes before
        record = sample if isinstance(sample, bytes) else _encoded(sample)
        self._producer.send(record, partition, plain)
        self.by_partition[partition] += 1

    def _turn(self) -> int:
        partition = self._next
        self._next = (partition + 1) % self.partitions
        return partition

    def _send_packed(self, message: bytes, partition: int) -> None:
        self._producer.send(message, partition)
        self.by_partition[partition] += 1

    def send_many(
        self, samples: Iterable[bytes | Mapping[str, Any]], partition: int | None = None
    ) -> int:
        """Send all; how many there were. Lists of bytes go fastest."""
        if isinstance(samples, list) and self._rate is None and set(map(type, samples)) == {bytes}:
            return self._send_list(samples, partition)
        count = 0
        for sample in samples:
            self.send(sample, partition)
            count += 1
        return count

    def _send_list(self, records: list[bytes], partition: int | None) -> int:
        if partition is not None:
            self._check(partition)
            self._producer.send_block(records, partition)
            self.by_partition[partition] += len(records)
            return len(records)
        stride = self.partitions * _RECORDS_IN_TURN
        for start in range(0, len(records), stride):
            for turn in range(min(self.partitions, len(records) - start)):
                share = records[start + turn : start + stride : self.partitions]
                target = (self._next + turn) % self.partitions
                self._producer.send_block(share, target)
                self.by_partition[target] += len(share)
        self._next = (self._next + len(records)) % self.partitions
        return len(records)

    def _check(self, partition: int) -> None:
        if not 0 <= partition < self.partitions:
            raise ValueError(
                f"partition: {partition} is not allowed; give 0 to {self.partitions - 1}"
            )

    def send_arrays(
        self,
        X: np.ndarray,
        y: np.ndarray,
        importance: np.ndarray | None = None,
        partition: int | None = None,
    ) -> int:
        """Send rows of ``X`` (samples, features) with labels ``y`` (samples,); NaN is absent.

        Images, (samples, ...) or uint8, travel as their bytes and have no NaN in JSON.
        """
        if len(X) != len(y):
            raise ValueError(f"y: {len(y)} labels for {len(X)} rows of X")
        names = self._fields
        if isinstance(names, ArrowFields):
            self._send_matrix(np.asarray(X), np.asarray(y), importance, partition, names)
            return len(y)
        for i, (row, label) in enumerate(zip(X, y.tolist(), strict=True)):
            # a row of several dimensions, or of bytes, is an image
            array = names.features is not None and (row.ndim > 1 or row.dtype == np.uint8)
            features = encoded_array(row) if array else row.tolist()
            sample: dict[str, Any] = {names.features or "x": features, names.label: label}
            if importance is not None:
                sample[names.importance] = float(importance[i])
            self.send(sample, partition)
        return len(y)

    def _send_matrix(
        self,
        X: np.ndarray,
        y: np.ndarray,
        importance: np.ndarray | None,
        partition: int | None,
        fields: ArrowFields,
    ) -> None:
        from flink_ol.wire.arrow_writing import encode_matrix  # takes its time to import

        if self._packing is not None:
            self._packing.flush()  # what came before goes before
        step = max(1, min(MOST_ROWS, _MESSAGE_BYTES // max(1, X.itemsize * math.prod(X.shape[1:]))))
        for start in range(0, len(y), step):
            part = slice(start, start + step)
            weights = None if importance is None else importance[part]
            message = encode_matrix(X[part], y[part], weights, fields)
            if self._rate is not None:
                for _ in range(min(step, len(y) - start)):
                    self._pace(self._rate)
            target = self._turn() if partition is None else partition
            self._check(target)
            self._send_packed(message, target)

    def _pace(self, rate: float) -> None:
        now = time.monotonic()
        if not self._paced or now - self._began - self._paced / rate > 1.0:
            self._began, self._paced = now, 0  # after a pause, do not catch up in a burst
        wait = self._began + self._paced / rate - now
        if wait > _PACED_EVERY_S:
            time.sleep(wait)
        self._paced += 1

    def flush(self, timeout_s: float | None = 60.0) -> None:
        """Wait until everything has arrived. Raises DeliveryError if it has not."""
        if self._packing is not None:
            self._packing.flush()
        self._producer.flush(timeout_s)

    def close(self) -> None:
        """Flush, and let go of the connection."""
        try:
            self.flush()
        finally:
            self._end_packing()
            self._producer.close()

    def _end_packing(self) -> None:
        if self._packing is not None:
            self._packing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is None:
            self.close()
        else:
            self._end_packing()
            self._producer.close(0.0)


def _encoded(sample: Mapping[str, Any]) -> bytes:
    return orjson.dumps(sample, option=orjson.OPT_SERIALIZE_NUMPY)
