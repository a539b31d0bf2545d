"""Decoded samples and the records that could not become one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np


class Samples(NamedTuple):
    """Samples of one partition in offset order, as compressed sparse rows.

    Row ``i`` owns the entries ``indptr[i]:indptr[i + 1]`` of keys, values and numeric.
    """

    indptr: np.ndarray  # (samples + 1,) int64
    keys: np.ndarray  # (entries,) int64, feature keys, see core.features.hashing
    values: np.ndarray  # (entries,) float64, finite
    numeric: np.ndarray  # (entries,) bool; False for categoricals, which are never scaled
    labels: np.ndarray  # (samples,) float64, class index or target; NaN in requests
    importance: np.ndarray  # (samples,) float64, > 0
    offsets: np.ndarray  # (samples,) int64, Kafka offsets, increasing
    names: Mapping[int, str]  # feature key -> name, for at least the keys above

    def __len__(self) -> int:  # rows, not fields
        return len(self.labels)

    def rows(self, start: int, stop: int) -> Samples:
        """The samples ``start`` to ``stop - 1``, sharing memory."""
        first, last = int(self.indptr[start]), int(self.indptr[stop])
        return Samples(
            self.indptr[start : stop + 1] - first,
            self.keys[first:last],
            self.values[first:last],
            self.numeric[first:last],
            self.labels[start:stop],
            self.importance[start:stop],
            self.offsets[start:stop],
            self.names,
        )


class Rejection(NamedTuple):
    """A record that could not be learned from."""

    offset: int
    reason: str
