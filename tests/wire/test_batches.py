"""Batches of raw samples: how they are gathered from columns, and read back."""

from __future__ import annotations

import numpy as np
import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flink_ol.wire.batches import RawBatch, decode_batch, encode_batch, gathered_batches
from flink_ol.wire.errors import WireError

RECORDS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(1, 3), st.none() | st.binary(max_size=6)), max_size=40
)


def columns(rows: list[tuple[int, int, int, bytes | None]]) -> list[pa.Array]:
    """Partition, offset, timestamp and payload, as Flink hands them over."""
    types = [pa.int32(), pa.int64(), pa.timestamp("ms"), pa.binary()]
    return [pa.array([row[place] for row in rows], of_type) for place, of_type in enumerate(types)]


@given(records=RECORDS, cut=st.integers(0, 5), most=st.none() | st.integers(1, 5))
def test_every_record_is_in_one_batch_of_its_partition_in_order(
    records: list[tuple[int, int, bytes | None]], cut: int, most: int | None
) -> None:
    offsets = [0, 0, 0, 0]
    rows = []
    for number, (partition, step, payload) in enumerate(records):
        offsets[partition] += step
        rows.append((partition, offsets[partition], 1_000 + number % 7, payload))
    whole = columns(rows)
    rows = rows[cut:]
    numbers, places, times, payloads = (column.slice(cut) for column in whole)
    found = gathered_batches(numbers, places, times, payloads, most)
    expected = {}  # place of the first record -> the records of the batch
    for partition in range(4):
        places = [place for place, row in enumerate(rows) if row[0] == partition]
        size = len(rows) + 1 if most is None else most
        for first in range(0, len(places), size):
            expected[places[first]] = [rows[place] for place in places[first : first + size]]
    assert sorted(place for place, _ in found) == sorted(expected)
    for place, data in found:
        batch = decode_batch(data)
        mine = expected[place]
        assert batch.partition == rows[place][0]
        assert batch.offsets.tolist() == [row[1] for row in mine]
        assert batch.newest_ms == max(row[2] for row in mine)
        assert list(batch.payloads) == [row[3] for row in mine]
        assert encode_batch(batch) == data


def test_batches_of_format_1_are_read() -> None:
    header = orjson.dumps(
        {"format": 1, "partition": 2, "newest_ms": 7, "offsets": [4, 9], "lengths": [3, -1]}
    )
    batch = decode_batch(len(header).to_bytes(4, "little") + header + b"abc")
    assert (batch.partition, batch.newest_ms, batch.offsets.tolist()) == (2, 7, [4, 9])
    assert batch.payloads == [b"abc", None]


@pytest.mark.parametrize("kept", [0, 3, 20, -7, -1])
def test_what_was_cut_off_is_no_batch(kept: int) -> None:
    whole = encode_batch(RawBatch(1, 5, np.arange(4), [b"one", None, b"", b"four"]))
    with pytest.raises(WireError):
        decode_batch(whole[:kept])


def test_another_format_is_refused_by_its_number() -> None:
    header = b'{"format": 9}'
    with pytest.raises(WireError, match="format 9, this reader knows 1 and 2"):
        decode_batch(len(header).to_bytes(4, "little") + header)
