"""The model in broadcast state: a base snapshot and the log entries since.

Rewriting a large model at every entry would cost its whole size each time. So an entry is
appended as it came, and once the entries outweigh the base they are replaced by a new base: each
byte is written about twice. Restoring folds the entries over the base.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_BASE = 0  # entries stand under 1, 2, ...
_MOST_ENTRIES = 256  # bounds the time to restore


class ModelLog:
    """Writes one replica's log into a broadcast map state ``int -> bytes``."""

    def __init__(self, needs_base: bool = False) -> None:
        """``needs_base``: entries alone are no model, since version 0 is not the usual one."""
        self._needs_base = needs_base
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
        self._bytes_since = sum(map(len, entries))
        return base, entries

    def append(self, stored: Any, entry: bytes, base: Callable[[], bytes]) -> None:
        """Store ``entry``; ``base()`` is the whole model with it, asked for when it is time."""
        self._bytes_since += len(entry)
        based = self._bytes_base > 0 or not self._needs_base
        small = self._bytes_since <= max(self._bytes_base, 1 << 16)
        if based and small and self._entries < _MOST_ENTRIES:
            self._entries += 1
            stored.put(self._entries, entry)
            return
        whole = base()
        stored.put(_BASE, whole)
        for number in range(1, self._entries + 1):
            stored.remove(number)
        self._entries, self._bytes_since, self._bytes_base = 0, 0, len(whole)
