"""Names of features to keys, remembered: hashing a name takes ten times as long as finding it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from flink_ol.core.features.hashing import feature_key

_MOST_NAMES = 1 << 20  # remembered at a time: a stream of ever new names must not fill memory


class FeatureNames:
    """The names that one decoder has met lately."""

    def __init__(self) -> None:
        self.by_key: dict[int, str] = {}
        self._keys = _Keys(self)
        self._categories: dict[tuple[str, str | bool], str] = {}
        self._columns: dict[tuple[str, ...], np.ndarray] = {}
        self._numbered: dict[tuple[int, str], tuple[str, ...]] = {}

    def trim(self) -> None:
        """Forget everything if it has become too much; between batches only."""
        if len(self.by_key) + len(self._keys) + len(self._categories) > 2 * _MOST_NAMES:
            self.by_key = {}
            self._keys.clear()
            self._categories.clear()
            self._columns.clear()

    def keys(self, names: Sequence[str]) -> np.ndarray:
        """(names,) int64; a tuple of names is remembered as a whole."""
        if not isinstance(names, tuple):
            return np.array(list(map(self._keys.__getitem__, names)), np.int64)
        found = self._columns.get(names)
        if found is None:
            found = np.array([self._keys[name] for name in names], np.int64)
            if len(self._columns) < 1000:
                self._columns[names] = found
        return found

    def categorical(self, name: str, value: str | bool) -> str:
        """``name=value``, a truth value as true or false."""
        category = self._categories.get((name, value))
        if category is None:
            text = value if isinstance(value, str) else str(value).lower()
            category = self._categories[name, value] = f"{name}={text}"
        return category

    def numbered(self, count: int, of: str = "") -> tuple[str, ...]:
        """The names of the values of a list: "0", "1", ...; ``of`` a feature: "of[0]", ..."""
        names = self._numbered.get((count, of))
        if names is None:
            plain = map(str, range(count))
            names = tuple(f"{of}[{i}]" for i in plain) if of else tuple(plain)
            if len(self._numbered) < 100:
                self._numbered[count, of] = names
        return names

    def numbers(self, numbers: np.ndarray) -> np.ndarray:
        """(numbers,) int64 keys of the names ``str(number)``, from 0 on, met for the first time."""
        # numba takes its time to import: not for commands that decode nothing
        from flink_ol.core.features.xxh64 import number_keys

        keys = number_keys(np.require(numbers, np.int64, ["C", "W"]))
        for key, number in zip(keys.tolist(), numbers.tolist(), strict=True):
            self.by_key.setdefault(key, str(number))
        return keys

    def learn(self, name: str) -> int:
        """The key of a name met for the first time."""
        key = feature_key(name)
        self.by_key.setdefault(key, name)
        return key


class _Keys(dict[str, int]):
    def __init__(self, names: FeatureNames) -> None:
        self._names = names

    def __missing__(self, name: str) -> Any:
        key = self[name] = self._names.learn(name)
        return key
