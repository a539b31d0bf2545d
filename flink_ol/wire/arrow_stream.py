"""The framing of an Arrow IPC stream, checked before the library reads what it frames.

Layout, little endian (https://arrow.apache.org/docs/format/Columnar.html): messages of 0xFFFFFFFF
(4 bytes), length of the metadata (4), metadata (a flatbuffer, padded to 8 bytes), body; first the
schema, then dictionaries and record batches; at the end 0xFFFFFFFF and 0.

The library takes what memory the metadata ask for, and swaps and joins what it has not checked. So
the metadata are looked through here for the few numbers that matter: rows, sizes of buffers before
and after compression, byte order, versions. It checks their structure itself.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

MOST_BYTES = 16 << 20  # of a message, and of its buffers when they are unpacked
MOST_ROWS = 1 << 16  # of a message: each may become a dead letter of its own
_MOST_PARTS = 1000  # dictionaries and record batches of a message

END = b"\xff\xff\xff\xff\x00\x00\x00\x00"
CONTINUED = 0xFFFFFFFF
_V5 = 4
_SCHEMA, _DICTIONARY, RECORDS = 1, 2, 3
_LITTLE_ENDIAN = 0

PREFIX = struct.Struct("<Ii")
_I16, _I32, _I64 = struct.Struct("<h"), struct.Struct("<i"), struct.Struct("<q")
_U8, _U16, _U32 = struct.Struct("<B"), struct.Struct("<H"), struct.Struct("<I")
_BUFFER = struct.Struct("<qq")  # offset in the body, length


class Checked(NamedTuple):
    """What a sound stream says of itself."""

    schema: bytes  # the metadata of its schema: equal for equal columns
    rows: int


def checked(payload: bytes | None) -> Checked:
    """What the stream in ``payload`` says; ValueError where it is none, or too large."""
    if not payload:
        raise ValueError("the record is empty")
    if len(payload) > MOST_BYTES:
        raise ValueError(f"the record has {len(payload)} bytes, at most {MOST_BYTES} are read")
    try:
        return _walk(payload)
    except struct.error:
        raise ValueError("not an Arrow IPC stream: it is cut off or damaged") from None


def _walk(payload: bytes) -> Checked:
    schema, at, rows, size, parts = b"", 0, 0, 0, 0
    while True:
        mark, length = PREFIX.unpack_from(payload, at)
        if mark != CONTINUED or length < 0:
            raise ValueError("not an Arrow IPC stream: it has no messages of Arrow 1.0 or later")
        at += PREFIX.size
        if length == 0:
            break
        metadata, at = payload[at : at + length], at + length
        kind, header, body = message(metadata)
        if at + body > len(payload):
            raise ValueError("not an Arrow IPC stream: it is cut off")
        if (kind == _SCHEMA) == bool(schema):
            raise ValueError("not an Arrow IPC stream: its schema is not its first message")
        if kind == _SCHEMA:
            if _number(_I16, metadata, header, 0) != _LITTLE_ENDIAN:
                raise ValueError("the Arrow stream is big endian; write it little endian")
            schema = metadata
        else:
            batch = header
            if kind == _DICTIONARY:
                if _number(_U8, metadata, header, 2):
                    raise ValueError("the Arrow stream has delta dictionaries; write whole ones")
                batch = _table(metadata, header, 1)
            elif kind != RECORDS:
                raise ValueError("the Arrow stream has tensors; write record batches")
            else:
                rows += row_count(metadata, batch)
            size += _size(metadata, batch, payload[at : at + body])
            parts += 1
            _check(rows, size, parts)
        at += body
    if at != len(payload):
        raise ValueError("bytes follow the Arrow stream; send one stream a message")
    if not rows:
        raise ValueError("the Arrow stream has no rows")
    return Checked(schema, rows)


def _check(rows: int, size: int, parts: int) -> None:
    for most, found, what in (
        (MOST_ROWS, rows, "rows"),
        (MOST_BYTES, size, "bytes when it is unpacked"),
        (_MOST_PARTS, parts, "batches and dictionaries"),
    ):
        if found > most:
            raise ValueError(f"the Arrow stream has {found} {what}, at most {most} are read")


def message(metadata: bytes) -> tuple[int, int, int]:
    """Kind, place of the header and length of the body."""
    (root,) = _U32.unpack_from(metadata)
    if _number(_I16, metadata, root, 0) != _V5:
        raise ValueError("the Arrow stream is of a format before Arrow 1.0; write version V5")
    body = _number(_I64, metadata, root, 3)
    if body < 0:
        raise ValueError("not an Arrow IPC stream: a body of negative length")
    return _number(_U8, metadata, root, 1), _table(metadata, root, 2), body


def row_count(metadata: bytes, batch: int) -> int:
    rows = _number(_I64, metadata, batch, 0)
    if rows < 0:
        raise ValueError("not an Arrow IPC stream: a negative number of rows")
    return rows


def _size(metadata: bytes, batch: int, body: bytes) -> int:
    """Bytes of all buffers, unpacked; those that share memory count each."""
    row_count(metadata, batch)
    place = field(metadata, batch, 2)
    if not place:
        return 0
    place += _U32.unpack_from(metadata, place)[0]
    (count,) = _U32.unpack_from(metadata, place)
    first = place + _U32.size
    if first + count * _BUFFER.size > len(metadata):
        raise ValueError("not an Arrow IPC stream: its list of buffers is cut off")
    packed = field(metadata, batch, 3) > 0
    total = 0
    for start, length in _BUFFER.iter_unpack(metadata[first : first + count * _BUFFER.size]):
        if start < 0 or length < 0 or start + length > len(body):
            raise ValueError("not an Arrow IPC stream: a buffer reaches beyond its body")
        if packed and length:
            (unpacked,) = _I64.unpack_from(body, start)
            if unpacked < -1:
                raise ValueError("not an Arrow IPC stream: a buffer of negative length")
            length = unpacked if unpacked >= 0 else length
        total += length
    return total


def field(metadata: bytes, table: int, index: int) -> int:
    """Where the field of a flatbuffer's table lies; 0 where it is left out."""
    # a negative place would count from the end
    vtable = table - _I32.unpack_from(metadata, table)[0]
    if vtable < 0 or 4 + 2 * index >= _U16.unpack_from(metadata, vtable)[0]:
        return 0
    (offset,) = _U16.unpack_from(metadata, vtable + 4 + 2 * index)
    return table + offset if offset else 0


def _number(kind: struct.Struct, metadata: bytes, table: int, index: int) -> int:
    place = field(metadata, table, index)
    return kind.unpack_from(metadata, place)[0] if place else 0


def _table(metadata: bytes, table: int, index: int) -> int:
    place = field(metadata, table, index)
    if not place:
        raise ValueError("not an Arrow IPC stream: a message has no content")
    return place + _U32.unpack_from(metadata, place)[0]
