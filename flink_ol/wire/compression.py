"""Compressed messages of any format: gzip and zstd, known by their first bytes.

No text format's record and no Arrow stream can begin like them. A message is one gzip file (of one
or several members) or one zstd frame. What it says of its size is checked before memory is taken,
and it is unpacked in pieces that stop at the limit, because what it says may be a lie.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

import numpy as np

from flink_ol.core.messages import Request
from flink_ol.core.samples import Rejection, Samples, in_order

MOST_UNPACKED = 16 << 20  # bytes of one message, whatever its format
_AT_ONCE = 32 << 20  # bytes of messages that are decoded together, but for the last of them

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_FIRST_BYTES = {_GZIP[0], _ZSTD[0]}
_AS_GZIP = 31  # zlib's window bits: 15, in gzip's wrapping
_PIECE = 1 << 16


class Uncompressed:
    """A sample format whose messages may be compressed."""

    def __init__(self, plain: Any) -> None:
        """``plain``: of the protocol formats.SampleFormat."""
        self.plain = plain
        self.labels = plain.labels
        self.most_bytes = min(plain.most_bytes, MOST_UNPACKED)

    def decode(
        self, payloads: Sequence[bytes | None], offsets: np.ndarray
    ) -> tuple[Samples, list[Rejection]]:
        """As the format does; a message that cannot be unpacked is rejected with the reason."""
        if _plain(payloads):
            return self.plain.decode(payloads, offsets)
        ((unpacked, kept, rejections),) = self._unpacked(payloads, offsets, None)
        samples, others = self.plain.decode(unpacked, kept)
        return samples, in_order(rejections + others)

    def parts(
        self, payloads: Sequence[bytes | None], offsets: np.ndarray
    ) -> Iterator[tuple[Samples, list[Rejection]]]:
        """As decode, one after the other: no part holds much more than _AT_ONCE unpacked bytes."""
        parts = getattr(self.plain, "parts", self._as_one)
        if _plain(payloads):
            yield from parts(payloads, offsets)
            return
        for unpacked, kept, rejections in self._unpacked(payloads, offsets, _AT_ONCE):
            for samples, others in parts(unpacked, kept):
                yield samples, in_order(rejections + others)
                rejections = []

    def _as_one(
        self, payloads: Sequence[bytes | None], offsets: np.ndarray
    ) -> Iterator[tuple[Samples, list[Rejection]]]:
        """Of a format whose samples are no larger than a few times what they are read from."""
        yield self.plain.decode(payloads, offsets)

    def _unpacked(
        self, payloads: Sequence[bytes | None], offsets: np.ndarray, most: int | None
    ) -> Iterator[tuple[list[bytes | None], np.ndarray, list[Rejection]]]:
        """Messages, their offsets and those that cannot be unpacked, after ``most`` bytes again."""
        unpacked: list[bytes | None] = []
        kept: list[int] = []
        rejections: list[Rejection] = []
        size = 0
        for payload, offset in zip(payloads, np.asarray(offsets).tolist(), strict=True):
            if most is not None and size >= most:
                yield unpacked, np.array(kept, np.int64), rejections
                unpacked, kept, rejections, size = [], [], [], 0
            try:
                plain = unpack(payload, self.most_bytes)
            except ValueError as error:
                rejections.append(Rejection(offset, str(error)))
                continue
            unpacked.append(plain)
            kept.append(offset)
            size += len(plain or b"")
        yield unpacked, np.array(kept, np.int64), rejections

    def decode_request(self, payload: bytes | None, partition: int, offset: int) -> Request:
        """As the format does."""
        try:
            plain = unpack(payload, self.most_bytes)
        except ValueError as error:
            return Request(None, None, str(error), partition, offset)
        return self.plain.decode_request(plain, partition, offset)

    def encode(
        self, features: Mapping[str, Any] | Sequence[Any], label: Any = None, **parts: Any
    ) -> bytes:
        """As the format does, not compressed."""
        return self.plain.encode(features, label, **parts)


def _plain(payloads: Sequence[bytes | None]) -> bool:
    """Whether none is compressed; False, too, where a tombstone or an empty one is among them."""
    try:
        return _FIRST_BYTES.isdisjoint(map(itemgetter(0), payloads))  # type: ignore[arg-type]
    except (TypeError, IndexError):
        return False


def unpack(payload: bytes | None, most: int = MOST_UNPACKED) -> bytes | None:
    """The message in ``payload``, or ``payload`` itself; ValueError where it is damaged."""
    if payload is None:
        return None
    if payload.startswith(_GZIP):
        return _from_gzip(payload, most)
    if payload.startswith(_ZSTD):
        return _from_zstd(payload, most)
    return payload


def _from_gzip(payload: bytes, most: int) -> bytes:
    pieces, room, rest = [], most, payload
    while rest:
        member = zlib.decompressobj(_AS_GZIP)
        try:
            piece = member.decompress(rest, room + 1)  # 0 would mean no limit
        except zlib.error as error:
            raise ValueError(f"the gzip data are damaged: {str(error)[:100]}") from None
        room -= len(piece)
        if room < 0:
            raise _too_large("gzip", most)
        if not member.eof:
            raise ValueError("the gzip data are cut off")
        pieces.append(piece)
        rest = member.unused_data
    return b"".join(pieces)


def _from_zstd(payload: bytes, most: int) -> bytes:
    _check_zstd(payload, most)
    import pyarrow  # takes its time to import

    reader = pyarrow.CompressedInputStream(pyarrow.BufferReader(payload), "zstd")
    pieces, room = [], most
    try:
        while piece := reader.read(min(_PIECE, room + 1)):
            room -= len(piece)
            if room < 0:
                raise _too_large("zstd", most)
            pieces.append(piece)
    except OSError as error:
        raise ValueError(f"the zstd data are damaged: {str(error)[:100]}") from None
    return b"".join(pieces)


def _check_zstd(payload: bytes, most: int) -> None:
    """ValueError unless this is one whole zstd frame that says to fit (RFC 8878, section 3.1).

    The library would take the memory of the window that the header asks for, and would give what
    there is of a frame cut off without a word.
    """
    single, checksum = payload[4:5] > b"" and payload[4] & 32, len(payload) > 4 and payload[4] & 4
    if len(payload) < 6:
        raise ValueError("the zstd data are cut off")
    size_code, at = payload[4] >> 6, 5
    window = 0
    if not single:
        exponent, eighths = payload[5] >> 3, payload[5] & 7
        window, at = (1 << (10 + exponent)) // 8 * (8 + eighths), 6
    at += (0, 1, 2, 4)[payload[4] & 3]  # the dictionary's number
    width = (1 if single else 0, 2, 4, 8)[size_code]
    size = int.from_bytes(payload[at : at + width], "little") + (256 if width == 2 else 0)
    # a compressor that does not know the size asks for the window of its level
    if size > most or window > MOST_UNPACKED:
        raise _too_large("zstd", most)
    at += width
    last = 0
    while not last:
        header = int.from_bytes(payload[at : at + 3], "little")
        last, repeated = header & 1, header >> 1 & 3 == 1
        at += 3 + (1 if repeated else header >> 3)
        if at > len(payload):
            raise ValueError("the zstd data are cut off")
    if at + (4 if checksum else 0) != len(payload):
        raise ValueError("the zstd data are cut off, or more than one frame")


def _too_large(name: str, most: int) -> ValueError:
    return ValueError(f"the {name} data unpack to more than {most} bytes, at most those are read")
