"""The compiled encoder writes what Kafka's other clients read."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka.record import MemoryRecords
from kafka.record.util import calc_crc32c

from flink_ol.client.block import Block
from flink_ol.client.record_batch import batch, crc32c, encode_records

_KEYS = st.none() | st.binary(max_size=200)
_EDGES = (0, 1, 61, 62, 63, 64, 65, 8189, 8190, 8191, 8192, 70_000)


def _decoded(data: bytes) -> list[tuple[int, int, bytes | None, bytes | None]]:
    records = MemoryRecords(data)
    decoded = records.next_batch()
    assert decoded.validate_crc()
    assert not records.has_next()
    return [(record.offset, record.timestamp, record.key, record.value) for record in decoded]


def _expected(
    values: Sequence[bytes], keys: Sequence[bytes | None]
) -> list[tuple[int, int, bytes | None, bytes | None]]:
    pairs = enumerate(zip(keys, values, strict=True))
    return [(i, 1_700_000_000_123, key, value) for i, (key, value) in pairs]


@settings(deadline=None)  # the first call compiles
@given(st.lists(st.tuples(_KEYS, st.binary(max_size=300)), min_size=1), st.booleans())
def test_another_client_reads_what_was_encoded(
    pairs: list[tuple[bytes | None, bytes]], compress: bool
) -> None:
    keys, values = [key for key, _ in pairs], [value for _, value in pairs]
    data = batch(encode_records(values, keys), len(values), 1_700_000_000_123, compress=compress)
    assert _decoded(data) == _expected(values, keys)


def test_lengths_at_the_edges_of_their_encoding_are_read_back() -> None:
    values = [bytes([i]) * size for i, size in enumerate(_EDGES)] * 30
    keys: list[bytes | None] = [None] * len(values)
    data = batch(encode_records(values, None), len(values), 1_700_000_000_123)
    assert _decoded(data) == _expected(values, keys)


@settings(deadline=None)
@given(st.binary(max_size=100), st.binary(max_size=100))
def test_the_checksum_is_castagnolis_and_continues(first: bytes, second: bytes) -> None:
    assert crc32c(first) == calc_crc32c(first)
    assert crc32c(second, crc32c(first)) == calc_crc32c(first + second)


def test_the_checksum_of_the_standards_example() -> None:
    assert crc32c(b"123456789") == 0xE3069283


@pytest.mark.parametrize("compress", [False, True])
def test_a_retried_block_keeps_its_bytes(compress: bool) -> None:
    block = Block(compress)
    assert [block.add(b"a", None), block.add(b"b" * 50, b"key")] == [0, 1]
    block.seal()
    assert len(block) == block.next_offset() == 2
    block.set_producer_state(77, 3, 40, False)
    block.close()
    first = block.buffer()
    block.close()
    assert block.buffer() is first
    decoded = MemoryRecords(first).next_batch()
    assert (decoded.producer_id, decoded.producer_epoch, decoded.base_sequence) == (77, 3, 40)
    assert [(r.key, r.value) for r in decoded] == [(None, b"a"), (b"key", b"b" * 50)]
