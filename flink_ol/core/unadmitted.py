"""Features that were met and have no weights yet: how often each was met, exactly.

Bounded: where too many wait, the older half is forgotten, in the order in which they came. So an
endless stream of features that never come again keeps no memory and, unlike in a sketch of hashed
counters, never lets one in.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from flink_ol.core.vocabulary import Vocabulary

_FIRST_CAPACITY = 16


class Counts(NamedTuple):
    """How often features were met."""

    keys: np.ndarray  # (features,) int64, distinct
    counts: np.ndarray  # (features,) int64


class Waiting:
    """Counts of one replica; a count of 0 is that of a feature that waits no longer."""

    __slots__ = ("_counts", "_vocabulary")

    def __init__(self, content: Counts | None = None) -> None:
        self._vocabulary = Vocabulary(None if content is None else content.keys)
        self._counts = np.zeros(max(_FIRST_CAPACITY, self._vocabulary.size), np.int64)
        if content is not None:
            self._counts[: len(content.counts)] = content.counts

    @property
    def size(self) -> int:
        """How many features wait."""
        return int(np.count_nonzero(self._counts[: self._vocabulary.size]))

    def content(self) -> Counts:
        """All there is, in the order in which it came: copies; the constructor is the inverse."""
        size = self._vocabulary.size
        return Counts(self._vocabulary.keys.copy(), self._counts[:size].copy())

    def of(self, keys: np.ndarray) -> np.ndarray:
        """How often ``keys`` were met so far, 0 where that is not known: (keys,) int64."""
        slots = self._vocabulary.find(keys)
        return np.where(slots >= 0, self._counts[slots], 0)

    def add(self, met: Counts) -> None:
        """Count ``met``, in place."""
        self._vocabulary.add(met.keys)
        size = self._vocabulary.size
        if size > len(self._counts):
            grown = np.zeros(2 * size, np.int64)
            grown[: len(self._counts)] = self._counts
            self._counts = grown
        self._counts[self._vocabulary.find(met.keys)] += met.counts

    def set(self, known: Counts) -> None:
        """These were met so often, in place, whatever was counted before."""
        self.add(Counts(known.keys, known.counts - self.of(known.keys)))

    def clear(self, keys: np.ndarray) -> None:
        """``keys`` wait no longer, in place; unknown ones did not."""
        if self._vocabulary.size:
            slots = self._vocabulary.find(keys)
            self._counts[slots[slots >= 0]] = 0

    def forget(self, most: int) -> None:
        """Where there are more than ``most``: keep the newer half of as many, in place."""
        size = self._vocabulary.size
        if size <= most:
            return
        kept = np.flatnonzero(self._counts[:size])[-(most // 2) :]
        keys, counts = self._vocabulary.keys[kept], self._counts[kept]
        self._vocabulary = Vocabulary(keys)
        self._counts = np.zeros(max(_FIRST_CAPACITY, 2 * len(keys)), np.int64)
        self._counts[: len(keys)] = counts

    def copy(self) -> Waiting:
        return Waiting(self.content())
