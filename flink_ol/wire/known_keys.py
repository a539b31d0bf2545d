"""Keys that compiled readers of text have met: so that a name is told once."""

from __future__ import annotations

import numpy as np

from flink_ol.wire.names import FeatureNames

_FIRST_PLACES = 1 << 12


class KnownKeys:
    """The table in which the compiled reader of one decoder enters keys, and their names."""

    def __init__(self, names: FeatureNames) -> None:
        self._names = names
        self._begin(_FIRST_PLACES)

    def _begin(self, places: int) -> None:
        self.by_key, self._count = self._names.by_key, 0
        self.table, self.used = np.zeros(places, np.int64), np.zeros(places, np.bool_)

    def refresh(self) -> None:
        """Forget everything if the names were forgotten; before each batch."""
        if self.by_key is not self._names.by_key:
            self._begin(_FIRST_PLACES)

    def grow(self, more: int) -> None:
        """Make room if ``more`` keys were too many; those known are told by the next scan again."""
        self._count += more
        if 4 * self._count > len(self.table):
            self._begin(4 * len(self.table))
