"""Dead letters: records that could not be learned from.

JSON: ``{"topic", "partition", "offset", "reason", "payload", "encoding", "length", "sha256"}``;
payload is at most 64 KiB, as text where it is UTF-8, else base64; null where the record had none.
"""

from __future__ import annotations

import base64
import hashlib
from typing import NamedTuple

import orjson

from flink_ol.wire.errors import WireError

MOST_PAYLOAD_BYTES = 64 << 10
_MOST_REASON_CHARACTERS = 2000  # whatever else: a letter too large for Kafka stops the job


class DeadLetterRecord(NamedTuple):
    """A dead letter as its reader gets it."""

    topic: str
    partition: int
    offset: int
    reason: str
    payload: bytes | None  # the first 64 KiB
    length: int  # of the whole payload
    sha256: str | None  # of the whole payload


def encode_dead_letter(
    topic: str, partition: int, offset: int, reason: str, payload: bytes | None
) -> bytes:
    reason = reason[:_MOST_REASON_CHARACTERS]
    fields = {"topic": topic, "partition": partition, "offset": offset, "reason": reason}
    if payload is None:
        return orjson.dumps({**fields, "payload": None, "encoding": None, "length": 0})
    kept = payload[:MOST_PAYLOAD_BYTES]
    try:
        text, encoding = kept.decode(), "utf-8"
    except UnicodeDecodeError:
        text, encoding = base64.b64encode(kept).decode(), "base64"
    sha256 = hashlib.sha256(payload).hexdigest()
    content = {"payload": text, "encoding": encoding, "length": len(payload), "sha256": sha256}
    return orjson.dumps(fields | content)


def decode_dead_letter(data: bytes) -> DeadLetterRecord:
    """Raises WireError."""
    try:
        fields = orjson.loads(data)
        payload = fields["payload"]
        if payload is not None:
            plain = fields["encoding"] == "utf-8"
            payload = payload.encode() if plain else base64.b64decode(payload, validate=True)
        return DeadLetterRecord(
            fields["topic"],
            int(fields["partition"]),
            int(fields["offset"]),
            fields["reason"],
            payload,
            int(fields["length"]),
            fields.get("sha256"),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WireError(f"dead letter: damaged ({error!r})") from None
