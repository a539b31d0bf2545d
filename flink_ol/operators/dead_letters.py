"""Dead letters of one batch: many may be of one record, and its payload is told only so often."""

from __future__ import annotations

from collections import Counter

from flink_ol.core.trainer import DeadLetter
from flink_ol.wire.dead_letters import encode_dead_letter

# letters of one record that carry its payload: with thousands of bad rows, all of them would be
# thousands of times what came in
_WITH_PAYLOAD = 10


class DeadLetters:
    """Encodes the letters of records of ``topic``."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._told: Counter[int] = Counter()  # letters of this batch's records, by offset

    def begin_batch(self) -> None:
        self._told.clear()

    def encoded(self, letter: DeadLetter, payload: bytes | None) -> bytes:
        """``payload``: the record, None where it is not at hand."""
        offset, reason = letter.rejection.offset, letter.rejection.reason
        self._told[offset] += 1
        if self._told[offset] > _WITH_PAYLOAD:
            payload, reason = None, f"{reason} (the payload is in the record's first letters)"
        return encode_dead_letter(self._topic, letter.partition, offset, reason, payload)
