"""Keys that compiled readers of text have met: so that a name is told once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from flink_ol.wire.names import FeatureNames

_FIRST_PLACES = 1 << 12


class KnownKeys:
    """The table in which the compiled reader of one decoder enters keys, and their names."""

    def __init__(self, names: FeatureNames) -> None:
        self._names = names
        self._begin(_FIRST_PLACES)

    def _begin(self, places: int) -> None:
        self._by_key, self._count = self._names.by_key, 0
        self._table, self._used = np.zeros(places, np.int64), np.zeros(places, np.bool_)

    def scanned(
        self, scan: Callable[[np.ndarray, np.ndarray], Any], name: Callable[..., str]
    ) -> Any:
        """What ``scan`` makes of a batch with the table, which grows until it is large enough.

        ``name``: of a new key, by the places that the scan tells beside it.
        """
        if self._by_key is not self._names.by_key:
            self._begin(_FIRST_PLACES)  # forgotten, as the names were
        while True:
            found = scan(self._table, self._used)
            for key, *places in found.fresh.tolist():
                self._by_key.setdefault(key, name(*places))
            self._count += len(found.fresh)
            if 4 * self._count > len(self._table):
                self._begin(4 * len(self._table))  # those known are told by the next scan again
            if not found.full:
                return found
