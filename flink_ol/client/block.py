"""A block of records on its way to one partition, as kafka-python's sender wants it."""

from __future__ import annotations

import time
from collections.abc import Sequence

from flink_ol.client.record_batch import batch, encode_records


class Block:
    """Records that are sent together; has what kafka.record.MemoryRecordsBuilder has.

    ``base_offset`` is set when the block has arrived, ``error`` when it never will.
    """

    def __init__(self, compress: bool = False) -> None:
        self.values: list[bytes] = []
        self._keys: dict[int, bytes] = {}
        self.bytes = 0
        self.base_offset: int | None = None
        self.error: BaseException | None = None
        self._compress, self._timestamp_ms = compress, int(time.time() * 1000)
        self._count, self._records, self._batch = 0, b"", b""
        self._producer = (-1, -1, -1)

    def __len__(self) -> int:
        return self._count or len(self.values)

    def add(self, value: bytes, key: bytes | None) -> int:
        """Take a record; its index."""
        index = len(self.values)
        if key is not None:
            self._keys[index] = key
            self.bytes += len(key)
        self.values.append(value)
        self.bytes += len(value)
        return index

    def extend(self, values: Sequence[bytes]) -> None:
        """Take records without keys."""
        self.values.extend(values)
        self.bytes += sum(map(len, values))

    def seal(self) -> None:
        """Take no more; the records are encoded and then forgotten."""
        self._count = len(self.values)
        keys = [self._keys.get(i) for i in range(self._count)] if self._keys else None
        self._records = encode_records(self.values, keys)
        self.values, self._keys = [], {}

    # ---- what the sender asks for

    @property
    def producer_id(self) -> int:
        return self._producer[0]

    @property
    def producer_epoch(self) -> int:
        return self._producer[1]

    def set_producer_state(self, id_: int, epoch: int, sequence: int, transactional: bool) -> None:
        """Called before :meth:`close`, once; a retry keeps what it says."""
        if transactional:
            raise AssertionError("samples and requests are not sent in transactions")
        self._producer = (id_, epoch, sequence)

    def next_offset(self) -> int:
        """How many records there are."""
        return self._count

    def append(self, *_: object) -> None:
        """None: there is no room for another record."""

    def is_full(self) -> bool:
        return True

    def size_in_bytes(self) -> int:
        return len(self._batch or self._records)

    def close(self) -> None:
        """Make the batch; nothing happens the second time."""
        if not self._batch:
            self._batch = batch(
                self._records, self._count, self._timestamp_ms, self._producer, self._compress
            )
            self._records = b""

    def buffer(self) -> bytes:
        return self._batch

    def compression_rate(self) -> float:
        return 1.0
