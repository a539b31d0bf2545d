"""Batches that wait in a trainer's state: the records as they came, to be decoded again.

Layout: length of the header (4 bytes, little endian), the header as JSON
``{"format": 1, "partition", "newest_ms", "offsets": [first, last] or all, "lengths": [...]}``,
lengths being -1 for null, then the payloads one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import orjson

from flink_ol.wire.errors import WireError

_FORMAT = 1


class RawBatch(NamedTuple):
    """The records of one window of one partition."""

    partition: int
    newest_ms: int  # largest Kafka timestamp
    offsets: np.ndarray  # (records,) int64
    payloads: Sequence[bytes | None]


def encode_batch(batch: RawBatch) -> bytes:
    offsets, count = batch.offsets, len(batch.payloads)
    dense = count and int(offsets[-1]) - int(offsets[0]) + 1 == count
    header = orjson.dumps(
        {
            "format": _FORMAT,
            "partition": batch.partition,
            "newest_ms": batch.newest_ms,
            "offsets": offsets[[0, -1]].tolist() if dense and count > 2 else offsets.tolist(),
            "lengths": [-1 if one is None else len(one) for one in batch.payloads],
        }
    )
    payloads = (one for one in batch.payloads if one is not None)
    return b"".join((len(header).to_bytes(4, "little"), header, *payloads))


def decode_batch(data: bytes) -> RawBatch:
    """Raises WireError."""
    end = 4 + int.from_bytes(data[:4], "little")
    try:
        header = orjson.loads(data[4:end])
        if header["format"] != _FORMAT:
            raise WireError(f"batch has format {header['format']}, this reader knows {_FORMAT}")
        lengths = header["lengths"]
        stops = list(accumulate((max(length, 0) for length in lengths), initial=end))
        if stops[-1] != len(data):
            raise WireError(f"batch: {len(data)} bytes of {stops[-1]}; it was cut off")
        payloads = [
            None if length < 0 else data[start : start + length]
            for start, length in zip(stops, lengths, strict=False)
        ]
        offsets = np.array(header["offsets"], np.int64)
        if len(offsets) != len(lengths):
            offsets = np.arange(offsets[0], offsets[1] + 1, dtype=np.int64)
        return RawBatch(int(header["partition"]), int(header["newest_ms"]), offsets, payloads)
    except WireError:
        raise
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise WireError(f"batch: damaged ({error!r})") from None
