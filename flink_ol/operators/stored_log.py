"""A model in broadcast state: a base, and what came since.

Rewriting a large model at every change would cost its whole size each time. So what changes it is
appended as it came: log entries to the model's snapshot, frames of changes to a trainer's whole
frame. Once that outweighs the base a new base replaces it all, so each byte is written about
twice. Restoring folds the entries over the base.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_BASE = 0  # entries stand under 1, 2, ...
_LEAST_BYTES = 1 << 16  # of entries before a new base
_MOST_ENTRIES, _BYTES_AN_ENTRY = 256, 1 << 16  # bound the time to restore; large bases have more


class StoredLog:
    """Writes one replica's log into a broadcast map state ``int -> bytes``."""

    def __init__(self, needs_base: bool = False) -> None:
        """``needs_base``: entries alone are no model."""
        self._base_is_due = needs_base
        self._entries = 0
        self._bytes_since = 0
        self._bytes_base = 0

    def restore(self, stored: Any) -> tuple[bytes | None, list[bytes]]:
        """The base, None where there is none, and the entries since, in order."""
        base = stored.get(_BASE)
        numbers = sorted(int(number) for number in stored.keys() if number != _BASE)  # noqa: SIM118
        self._entries = len(numbers)
        entries = [stored.get(number) for number in numbers]
        self._bytes_base = len(base or b"")
        self._base_is_due &= base is None
        self._bytes_since = sum(map(len, entries))
        return base, entries

    def append(self, stored: Any, entry: bytes) -> None:
        """Store ``entry`` behind the others."""
        self._entries += 1
        self._bytes_since += len(entry)
        stored.put(self._entries, entry)

    def replace(self, stored: Any, base: bytes) -> None:
        """Store ``base``, which holds all that came so far."""
        stored.put(_BASE, base)
        for number in range(1, self._entries + 1):
            stored.remove(number)
        self._entries, self._bytes_since, self._bytes_base = 0, 0, len(base)
        self._base_is_due = False

    def renew(self) -> None:
        """What is taken next is no entry of the base that is there."""
        self._base_is_due = True

    def take(self, stored: Any, entry: bytes, base: Callable[[], bytes]) -> None:
        """Store ``entry``; ``base()`` is the whole model with it, asked for when it is time."""
        most = max(_MOST_ENTRIES, self._bytes_base // _BYTES_AN_ENTRY)
        outweighs = self._bytes_since + len(entry) > max(self._bytes_base, _LEAST_BYTES)
        if self._base_is_due or outweighs or self._entries >= most:
            self.replace(stored, base())
        else:
            self.append(stored, entry)
