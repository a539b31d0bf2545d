"""Sets of slots as growing rows of flags, so that many are asked for at once."""

from __future__ import annotations

import numpy as np


class SlotSet:
    """Slots of one replica; takes a byte for every slot up to the largest, and time per slot."""

    __slots__ = ("_flags",)

    def __init__(self, count: int = 0) -> None:
        """The slots 0 to ``count - 1``."""
        self._flags = np.ones(count, np.bool_)

    def holds(self, slots: np.ndarray) -> np.ndarray:
        """Which of ``slots`` (n,) int64 are in the set: (n,) bool; -1, no slot, never is."""
        held = (slots >= 0) & (slots < len(self._flags))
        held[held] = self._flags[slots[held]]
        return held

    def add(self, slots: np.ndarray) -> None:
        """Put ``slots`` in."""
        if not len(slots):
            return
        needed = int(slots.max()) + 1
        if needed > len(self._flags):
            grown = np.zeros(max(needed, 2 * len(self._flags)), np.bool_)
            grown[: len(self._flags)] = self._flags
            self._flags = grown
        self._flags[slots] = True

    def remove(self, slots: np.ndarray) -> None:
        """Take ``slots`` out; all of them must have been put in."""
        self._flags[slots] = False
