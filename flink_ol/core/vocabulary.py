"""Feature keys to slots: an insertion-ordered hash table whose lookups are compiled.

A slot is a row of the feature arrays. Slots are private to one replica; between replicas
features are named by their keys.
"""

from __future__ import annotations

import numpy as np

from flink_ol.core.compiled import njit

_KEY, _SLOT = 0, 1  # of a place in the table: side by side, so that memory is asked once
_EMPTY = -1  # no slot; the key beside it says nothing
_MULTIPLIER = np.int64(-7046029254386353131)  # 2^64 / golden ratio, odd: Fibonacci hashing


@njit
def position(key: int, shift: int) -> int:
    """Where the search for ``key`` begins in a table of 2 ** (64 - shift) places."""
    return np.int64(np.uint64(key * _MULTIPLIER) >> np.uint64(shift))  # type: ignore[return-value]


@njit
def _find(table: np.ndarray, shift: int, keys: np.ndarray) -> np.ndarray:
    mask = len(table) - 1
    slots = np.empty(len(keys), np.int64)
    for i in range(len(keys)):
        key = keys[i]
        place = position(key, shift)
        while table[place, _KEY] != key and table[place, _SLOT] != _EMPTY:
            place = (place + 1) & mask
        slots[i] = table[place, _SLOT]
    return slots


@njit
def _insert(
    table: np.ndarray, by_slot: np.ndarray, size: int, shift: int, keys: np.ndarray, start: int
) -> tuple[int, int]:
    """Insert ``keys[start:]`` until done or half full; the new size and the next key to insert."""
    mask = len(table) - 1
    for i in range(start, len(keys)):
        key = keys[i]
        place = position(key, shift)
        while table[place, _KEY] != key and table[place, _SLOT] != _EMPTY:
            place = (place + 1) & mask
        if table[place, _SLOT] == _EMPTY:
            if 2 * size >= len(table):
                return size, i
            table[place, _KEY], table[place, _SLOT] = key, size
            by_slot[size] = key
            size += 1
    return size, len(keys)


def _writable(keys: np.ndarray) -> np.ndarray:
    """``keys`` as the type that the loops are compiled for; writable is part of it."""
    return np.require(keys, np.int64, ["C", "W"])


class Vocabulary:
    """The feature keys of one replica; a key's slot is its rank in order of first appearance."""

    __slots__ = ("_by_slot", "_shift", "_table", "size")

    def __init__(self, keys: np.ndarray | None = None) -> None:
        self.size = 0
        self._by_slot = np.empty(0, np.int64)
        self._allocate(4 if keys is None else max(4, len(keys).bit_length() + 1))
        if keys is not None and len(keys):
            self.add(keys)

    def _allocate(self, bits: int) -> None:
        self._shift = 64 - bits
        self._table = np.full((1 << bits, 2), _EMPTY, np.int64)
        by_slot = np.empty((1 << bits) // 2 + 1, np.int64)
        if self.size:
            by_slot[: self.size] = self._by_slot[: self.size]
        self._by_slot = by_slot

    @property
    def keys(self) -> np.ndarray:
        """Feature keys by slot: (size,) int64, a view."""
        return self._by_slot[: self.size]

    def find(self, keys: np.ndarray) -> np.ndarray:
        """Slots of ``keys``, -1 where a key is unknown: (keys,) int64."""
        return _find(self._table, self._shift, _writable(keys))

    def add(self, keys: np.ndarray) -> None:
        """Give every new key among ``keys`` the next slot, in their order."""
        start, keys = 0, _writable(keys)
        while start < len(keys):
            self.size, start = _insert(
                self._table, self._by_slot, self.size, self._shift, keys, start
            )
            if start < len(keys):
                known = self.keys.copy()
                self._allocate(64 - self._shift + 1)
                self.size = 0
                self.size, _ = _insert(self._table, self._by_slot, 0, self._shift, known, 0)

    def copy(self) -> Vocabulary:
        twin = Vocabulary.__new__(Vocabulary)
        twin.size, twin._shift = self.size, self._shift
        twin._table, twin._by_slot = self._table.copy(), self._by_slot.copy()
        return twin
