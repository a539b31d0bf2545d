"""Large messages in parts, since a record over Kafka's size limit fails a job for ever.

Layout of a part: ``FOLP``, format (1 byte), number and count of parts (4 bytes each), SHA-256 of
the whole message (32 bytes), then its bytes. Integers are little endian.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator

from flink_ol.wire.errors import WireError

# A part is copied into a dozen buffers of Flink on its way, which stay as large as they once were.
# A trainer that reads a backlog takes one between two batches, so they are not small either.
PART_BYTES = 4 << 20
_MOST_PARTS = 4096
_HEADER = struct.Struct("<4sBII32s")
_MAGIC, _FORMAT = b"FOLP", 1


def split(message: bytes, part_bytes: int = PART_BYTES) -> Iterator[bytes]:
    """``message`` as parts of at most ``part_bytes`` content; at least one."""
    digest = hashlib.sha256(message).digest()
    count = max(1, -(-len(message) // part_bytes))
    if count > _MOST_PARTS:
        raise WireError(f"a message of {len(message)} bytes needs {count} parts of {_MOST_PARTS}")
    for number in range(count):
        content = message[number * part_bytes : (number + 1) * part_bytes]
        yield _HEADER.pack(_MAGIC, _FORMAT, number, count, digest) + content


class Assembler:
    """Puts parts together again; a set that does not come complete and in order is ignored."""

    def __init__(self) -> None:
        self._digest = b""
        self._parts: list[bytes] = []

    def add(self, part: bytes) -> bytes | None:
        """The whole message, if ``part`` completes one. Raises WireError."""
        if len(part) < _HEADER.size:
            raise WireError(f"part: {len(part)} bytes are too few; it was cut off")
        magic, layout, number, count, digest = _HEADER.unpack_from(part)
        if magic != _MAGIC or layout != _FORMAT:
            raise WireError(f"part: not written by flink_ol, or by a newer one ({part[:5]!r})")
        if not number < count <= _MOST_PARTS:
            raise WireError(f"part: number {number} of {count}, at most {_MOST_PARTS} are read")
        if number == 0 or digest != self._digest:
            self._digest, self._parts = digest, []
        if number != len(self._parts):
            return None
        self._parts.append(part[_HEADER.size :])
        if len(self._parts) < count:
            return None
        message = self._parts[0] if count == 1 else b"".join(self._parts)
        self._digest, self._parts = b"", []
        if hashlib.sha256(message).digest() != digest:
            raise WireError("part: the message put together is not the one that was sent")
        return message
