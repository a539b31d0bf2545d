"""Batches of raw samples: what crosses into Python together, and waits in a trainer's state.

Layout: length of the header (4 bytes, little endian), the header as JSON
``{"format": 2, "partition", "newest_ms", "offsets": [first, last] or all, "records"}``, the
lengths of the payloads (int32, little endian, -1 for null), then the payloads one after the other.
Format 1, which is still read, has the lengths as a list in the header.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import orjson
import pyarrow as pa

from flink_ol.wire.errors import WireError

_FORMAT = 2
_LENGTHS = np.dtype("<i4")


class RawBatch(NamedTuple):
    """The records of one partition that were gathered together, in offset order."""

    partition: int
    newest_ms: int  # largest Kafka timestamp
    offsets: np.ndarray  # (records,) int64
    payloads: Sequence[bytes | None]

    def payload(self, offset: int) -> bytes | None:
        """Of the record at ``offset``; None where none is in the batch, or it has no payload."""
        place = int(np.searchsorted(self.offsets, offset))
        found = place < len(self.offsets) and int(self.offsets[place]) == offset
        return self.payloads[place] if found else None


def encode_batch(batch: RawBatch) -> bytes:
    payloads = batch.payloads
    lengths = np.array([-1 if one is None else len(one) for one in payloads], _LENGTHS)
    bodies = (one for one in payloads if one is not None)
    return b"".join((_heading(batch.partition, batch.newest_ms, batch.offsets, lengths), *bodies))


def gathered_batches(
    partitions: pa.Array,
    offsets: pa.Array,
    times: pa.Array,
    payloads: pa.Array,
    most: int | None = None,
) -> list[tuple[int, bytes]]:
    """Batches of records that came one after the other, one for each partition among them.

    int32, int64, timestamps in milliseconds and binary, all of one length. ``most``: of more
    records a partition gets several batches. The bytes are as of `encode_batch`; before them
    stands the place of the batch's first record.
    """
    numbers, places = partitions.to_numpy(), offsets.to_numpy()
    clock = times.cast(pa.int64()).to_numpy()
    found: list[tuple[int, bytes]] = []
    for partition, rows in _batches_of(numbers, most):
        mine = payloads if len(rows) == len(numbers) else payloads.take(pa.array(rows))
        _, stops_buffer, body = mine.buffers()
        stops = np.frombuffer(stops_buffer, np.int32)[mine.offset : mine.offset + len(mine) + 1]
        lengths = np.diff(stops).astype(_LENGTHS)
        if mine.null_count:
            lengths[mine.is_null().to_numpy(zero_copy_only=False)] = -1
        heading = _heading(partition, int(clock[rows].max()), places[rows], lengths)
        bodies = b"" if body is None else body.slice(int(stops[0]), int(stops[-1] - stops[0]))
        found.append((int(rows[0]), b"".join((heading, bodies))))
    return found


def _batches_of(numbers: np.ndarray, most: int | None) -> Iterator[tuple[int, np.ndarray]]:
    """Partition and rows of every batch; the batches of one partition in the order of its rows."""
    for partition in np.unique(numbers).tolist():
        rows = np.flatnonzero(numbers == partition)
        size = len(rows) if most is None else most
        for first in range(0, len(rows), size):
            yield partition, rows[first : first + size]


def _heading(partition: int, newest_ms: int, offsets: np.ndarray, lengths: np.ndarray) -> bytes:
    """All that comes before the payloads."""
    count = len(lengths)
    dense = count > 2 and int(offsets[-1]) - int(offsets[0]) + 1 == count
    header = orjson.dumps(
        {
            "format": _FORMAT,
            "partition": partition,
            "newest_ms": newest_ms,
            "offsets": offsets[[0, -1]].tolist() if dense else offsets.tolist(),
            "records": count,
        }
    )
    return b"".join((len(header).to_bytes(4, "little"), header, lengths.tobytes()))


def decode_batch(data: bytes) -> RawBatch:
    """Raises WireError."""
    end = 4 + int.from_bytes(data[:4], "little")
    try:
        header = orjson.loads(data[4:end])
        lengths, start = _lengths(header, data, end)
        stops = np.cumsum(np.concatenate(([start], np.maximum(lengths, 0)))).tolist()
        if stops[-1] != len(data):
            raise WireError(f"batch: {len(data)} bytes of {stops[-1]}; it was cut off")
        payloads: list[bytes | None] = [data[first:after] for first, after in pairwise(stops)]
        for row in np.flatnonzero(lengths < 0):
            payloads[row] = None
        offsets = np.array(header["offsets"], np.int64)
        if len(offsets) != len(lengths):
            offsets = np.arange(offsets[0], offsets[1] + 1, dtype=np.int64)
        return RawBatch(int(header["partition"]), int(header["newest_ms"]), offsets, payloads)
    except WireError:
        raise
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise WireError(f"batch: damaged ({error!r})") from None


def _lengths(header: dict[str, Any], data: bytes, end: int) -> tuple[np.ndarray, int]:
    """Lengths of the payloads as int64, and where the first one begins."""
    if header["format"] == 1:
        return np.array(header["lengths"], np.int64), end
    if header["format"] != _FORMAT:
        known = f"this reader knows 1 and {_FORMAT}"
        raise WireError(f"batch has format {header['format']}, {known}")
    found = np.frombuffer(data, _LENGTHS, header["records"], end)
    return found.astype(np.int64), end + found.nbytes
