"""Crosses: for the fields ``a`` and ``b`` a feature of every value of the one with the other.

A cross ``a*b`` adds to a sample, for each of its features of field ``a`` and each of field ``b``,
the feature named ``NAME*NAME`` in the order of the cross: ``kind=red*day=monday``. Its value is the
product of theirs. It is a number, and scaled as one by statistics of its own, if any of them is a
number: ``kind=red*size`` is standardised among the red ones. The features themselves stay.

The features of a field ``f`` are the number ``f``, the categories ``f=VALUE`` and the words of a
text ``f~WORD``; a field that ends in ``^`` means all features of a namespace: ``user^`` those named
``user^...``. So which fields a feature belongs to follows from its name, in every format.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Sequence

import numpy as np

from flink_ol.core.compiled import njit
from flink_ol.core.features.appending import appended, without_rows
from flink_ol.core.features.hashing import feature_key
from flink_ol.core.fields import ConfigError
from flink_ol.core.samples import Rejection, Samples, rejection_of, row_numbers
from flink_ol.core.vocabulary import Vocabulary

_MOST_FIELDS = 4  # in a cross
MOST_COMBINATIONS = (
    1 << 16
)  # that the crosses may make of one sample: a bad one must not fill memory
_REMEMBERED = 1 << 20  # combinations and features; then everything is forgotten

_TOO_MANY = -1


def parts(cross: str) -> tuple[str, ...]:
    """The fields of ``a*b``. Raises ConfigError."""
    fields = tuple(field.strip() for field in cross.split("*"))
    if not (2 <= len(fields) <= _MOST_FIELDS and all(fields) and len(set(fields)) == len(fields)):
        allowed = f"two to {_MOST_FIELDS} different fields with * between them, like city*hour"
        raise ConfigError("crosses", cross, allowed)
    return fields


def belongs(name: str, field: str) -> bool:
    """Whether the feature ``name`` is one of ``field``."""
    if field.endswith("^"):
        return name.startswith(field)
    return name.startswith(field) and (len(name) == len(field) or name[len(field)] in "=~")


class Crossing:
    """Adds the features of ``crosses`` to samples; remembers names, not samples."""

    def __init__(self, crosses: Sequence[str]) -> None:
        """``crosses``: each two or more fields, ``a*b``."""
        split = [parts(cross) for cross in crosses]
        self._fields = list(dict.fromkeys(field for fields in split for field in fields))
        width = max(map(len, split), default=1)
        self._crosses = np.full((len(split), width), -1, np.int64)
        for row, fields in zip(self._crosses, split, strict=True):
            row[: len(fields)] = [self._fields.index(field) for field in fields]
        self._forget()

    def _forget(self) -> None:
        self._features = Vocabulary()  # every feature met
        self._member = np.zeros((16, len(self._fields)), np.bool_)  # (slots, fields)
        self._feature_names: dict[int, str] = {}  # by slot, of those that belong to a field
        # chains of features: a combination of k is one of k - 1 and a feature
        self._chains = [Vocabulary() for _ in range(self._crosses.shape[1] - 1)]
        self._chain_names: list[list[str]] = [[] for _ in self._chains]
        self._chain_keys = [np.empty(16, np.int64) for _ in self._chains]
        self._names: dict[int, str] = {}  # of the crosses, by key

    def __call__(
        self, samples: Samples, before: Sequence[Rejection] = ()
    ) -> tuple[Samples, list[Rejection]]:
        """``samples`` with their crosses, and those of which there would be too many.

        ``before``: rejections of the same records, which tell what rows are missing.
        """
        if len(self._names) + self._features.size > _REMEMBERED:
            self._forget()
        slots = self._slots(samples)
        sizes = _sizes(samples.indptr, slots, self._member, self._crosses, MOST_COMBINATIONS)
        rejections = []
        wrong = sizes == _TOO_MANY
        if wrong.any():
            reason = (
                f"features.crosses: more than {MOST_COMBINATIONS} combinations in one sample: "
                "cross fields that have fewer features in a sample"
            )
            rows = row_numbers(samples, before)
            spoilt = np.flatnonzero(wrong).tolist()
            rejections = [rejection_of(samples, i, reason, rows) for i in spoilt]
            slots = slots[~np.repeat(wrong, np.diff(samples.indptr))]
            samples, sizes = without_rows(samples, wrong), sizes[~wrong]
        entries, values, numeric = _combinations(
            samples.indptr,
            slots,
            samples.values,
            samples.numeric,
            self._member,
            self._crosses,
            int(sizes.sum()),
        )
        keys = self._keys(entries, slots)
        names: ChainMap[int, str] = ChainMap(self._names, samples.names)  # type: ignore[arg-type]
        return appended(samples, sizes, keys, values, numeric, names), rejections

    def _slots(self, samples: Samples) -> np.ndarray:
        """Slots of the samples' keys among the features met, (entries,) int64."""
        slots = self._features.find(samples.keys)
        if len(slots) and slots.min() < 0:
            before = self._features.size
            self._features.add(samples.keys)
            size = self._features.size
            if size > len(self._member):
                grown = np.zeros((2 * size, len(self._fields)), np.bool_)
                grown[: len(self._member)] = self._member
                self._member = grown
            for slot, key in enumerate(self._features.keys[before:].tolist(), before):
                name = samples.names[key]
                row = [belongs(name, field) for field in self._fields]
                self._member[slot] = row
                if any(row):
                    self._feature_names[slot] = name
            slots = self._features.find(samples.keys)
        return slots

    def _keys(self, entries: np.ndarray, slots: np.ndarray) -> np.ndarray:
        """Keys of combinations of ``entries`` (combinations, fields), -1 behind the last field."""
        keys = np.empty(len(entries), np.int64)
        if not len(entries):
            return keys
        chain = slots[entries[:, 0]]
        rows = np.arange(len(entries))
        for level, vocabulary in enumerate(self._chains):
            there = entries[rows, level + 1] >= 0
            rows, chain = rows[there], chain[there]
            if not len(rows):
                break
            # both below 2^31, so that the pair is one number and no hash
            pairs = (chain << 32) | slots[entries[rows, level + 1]]
            chain = vocabulary.find(pairs)
            if chain.min() < 0:
                before = vocabulary.size
                vocabulary.add(pairs)
                self._name(level, vocabulary.keys[before:].tolist())
                chain = vocabulary.find(pairs)
            keys[rows] = self._chain_keys[level][chain]
        return keys

    def _name(self, level: int, pairs: list[int]) -> None:
        """Names and keys of new chains at ``level``, each a pair of chain and feature."""
        names = self._chain_names[level]
        heads = self._chain_names[level - 1] if level else self._feature_names
        before = len(names)
        for pair in pairs:
            names.append(f"{heads[pair >> 32]}*{self._feature_names[pair & 0xFFFFFFFF]}")
        if len(names) > len(self._chain_keys[level]):
            grown = np.empty(2 * len(names), np.int64)
            grown[:before] = self._chain_keys[level][:before]
            self._chain_keys[level] = grown
        for chain, name in enumerate(names[before:], before):
            key = feature_key(name)
            self._chain_keys[level][chain] = key
            self._names.setdefault(key, name)


@njit
def _sizes(
    indptr: np.ndarray, slots: np.ndarray, member: np.ndarray, crosses: np.ndarray, most: int
) -> np.ndarray:
    """How many combinations each row has, (samples,) int64; -1: more than ``most``."""
    fields = member.shape[1]
    sizes = np.zeros(len(indptr) - 1, np.int64)
    lengths = np.empty(fields, np.int64)
    for row in range(len(sizes)):
        lengths[:] = 0
        for entry in range(indptr[row], indptr[row + 1]):
            for field in range(fields):
                lengths[field] += member[slots[entry], field]
        total = 0
        for cross in range(len(crosses)):
            product = 1
            for field in crosses[cross]:
                if field >= 0:
                    product = min(product * lengths[field], most + 1)
            total += product
        sizes[row] = total if total <= most else _TOO_MANY
    return sizes


@njit
def _combinations(
    indptr: np.ndarray,
    slots: np.ndarray,
    values: np.ndarray,
    numeric: np.ndarray,
    member: np.ndarray,
    crosses: np.ndarray,
    total: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Entries (total, fields of a cross), products (total,) and whether one is a number (total,).

    In the order of rows, crosses, entries of the first field, of the second, ...
    """
    fields, width = member.shape[1], crosses.shape[1]
    longest = 0
    for row in range(len(indptr) - 1):
        longest = max(longest, indptr[row + 1] - indptr[row])
    lists = np.empty((fields, longest), np.int64)
    lengths = np.empty(fields, np.int64)
    turn = np.empty(width, np.int64)
    entries = np.full((total, width), -1, np.int64)
    products = np.ones(total)
    numbers = np.zeros(total, np.bool_)
    at = 0
    for row in range(len(indptr) - 1):
        lengths[:] = 0
        for entry in range(indptr[row], indptr[row + 1]):
            for field in range(fields):
                if member[slots[entry], field]:
                    lists[field, lengths[field]] = entry
                    lengths[field] += 1
        for cross in range(len(crosses)):
            size, count = 0, 1
            while size < width and crosses[cross, size] >= 0:
                count *= lengths[crosses[cross, size]]
                size += 1
            turn[:] = 0
            for _ in range(count):
                for place in range(size):
                    entry = lists[crosses[cross, place], turn[place]]
                    entries[at, place] = entry
                    products[at] *= values[entry]
                    numbers[at] = numbers[at] or numeric[entry]
                at += 1
                for back in range(size):
                    place = size - 1 - back
                    turn[place] += 1
                    if turn[place] < lengths[crosses[cross, place]]:
                        break
                    turn[place] = 0
    return entries, products, numbers
