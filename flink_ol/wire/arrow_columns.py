"""Columns of Arrow as entries of samples: by whole columns, with no object a value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from flink_ol.core.vocabulary import Vocabulary
from flink_ol.wire.feature_rows import Entries
from flink_ol.wire.names import FeatureNames

MOST_ENTRIES = 1 << 21  # of one message: 34 MB, and as many names at worst

_MOST_SMALL = 1 << 22  # indices that are looked up by place: 34 MB
_UNKNOWN = np.iinfo(np.int64).min  # a key that is this one is looked up each time


class Distinct(NamedTuple):
    """A column as its different values and which one each row has."""

    values: list[Any]
    codes: np.ndarray  # (rows,) int64, -1 where the row has none


def present(column: Any) -> np.ndarray | None:
    """(rows,) bool, False where the column is null; None where it is nowhere."""
    if column.null_count == 0:
        return None
    return np.asarray(column.is_valid())


def numbers(column: Any) -> np.ndarray:
    """(rows,), of the column's type where nothing is null, else float64 with NaN."""
    return column.to_numpy(zero_copy_only=False)


def distinct(column: Any) -> Distinct:
    """Texts, truth values or numbers, plain or as a dictionary."""
    there = present(column)
    if not pa.types.is_dictionary(column.type):
        if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
            kept = column if there is None else column.drop_null()
            found, codes = np.unique(numbers(kept), return_inverse=True)
            return Distinct(found.tolist(), _spread(codes, there))
        column = column.dictionary_encode()
    indices = column.indices if there is None else column.indices.drop_null()
    codes, known = numbers(indices).astype(np.int64), column.dictionary
    if len(known) > len(codes):
        used, codes = np.unique(codes, return_inverse=True)
        known = known.take(pa.array(used))
    codes, values = _spread(codes, there), known.to_pylist()
    if known.null_count:
        absent = np.array([value is None for value in values], np.bool_)
        codes[(codes >= 0) & absent[codes]] = -1
    return Distinct(values, codes)


def _spread(codes: np.ndarray, there: np.ndarray | None) -> np.ndarray:
    if there is None:
        return codes.astype(np.int64)
    spread = np.full(len(there), -1, np.int64)
    spread[there] = codes
    return spread


def scalar_entries(
    columns: Sequence[Any], names: Sequence[str], texts: Sequence[bool], known: FeatureNames
) -> Entries:
    """One feature a column and row; a column of texts or truth values is categorical."""
    rows, width = len(columns[0]), len(columns)
    values = np.ones((rows, width))
    keys = np.empty((rows, width), np.int64)
    keys[:] = known.keys(tuple(names))
    there: np.ndarray | None = None
    for j, (column, name, text) in enumerate(zip(columns, names, texts, strict=True)):
        valid = None
        if text:
            found = distinct(column)
            categories = [
                known.categorical(name, value) if value is not None else name
                for value in found.values
            ]
            if categories:
                keys[:, j] = known.keys(categories)[found.codes]
            if len(found.codes) and found.codes.min() < 0:
                valid = found.codes >= 0
        else:
            values[:, j] = numbers(column)
            valid = present(column)
        if valid is not None:
            if there is None:
                there = np.ones((rows, width), np.bool_)
            there[:, j] = valid
    numeric = np.broadcast_to(~np.array(texts, np.bool_), (rows, width))
    if there is None:
        indptr = np.arange(rows + 1, dtype=np.int64) * width
        return Entries(indptr, keys.ravel(), values.ravel(), numeric.ravel())
    indptr = np.concatenate(([0], np.cumsum(there.sum(axis=1)))).astype(np.int64)
    return Entries(indptr, keys[there], values[there], numeric[there])


class Lists(NamedTuple):
    """A column of lists."""

    indptr: np.ndarray  # (rows + 1,) int64, from 0
    items: Any  # the Arrow array of all items


def lists(column: Any) -> Lists:
    """The lists of a column, fixed in size or not; null is an empty one."""
    rows, there = len(column), present(column)
    if pa.types.is_fixed_size_list(column.type):
        size = column.type.list_size
        bounds = np.arange(rows + 1, dtype=np.int64) * size + column.offset * size
    else:
        bounds = numbers(column.offsets).astype(np.int64)
    if there is None:
        first, last = int(bounds[0]), int(bounds[-1])
        return Lists(bounds - first, column.values.slice(first, last - first))
    lengths = np.where(there, np.diff(bounds), 0)
    indptr = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
    places = np.arange(indptr[-1]) + np.repeat(bounds[:-1] - indptr[:-1], lengths)
    return Lists(indptr, column.values.take(pa.array(places)))


def vector_entries(column: Any, name: str, known: FeatureNames) -> Entries:
    """The items of lists, by their places: "0", "1", or with a name "name[0]", "name[1]"."""
    found = lists(column)
    widest = int(np.diff(found.indptr).max(initial=0))
    keys = known.keys(known.numbered(widest, name))
    if len(found.items) == widest * (len(found.indptr) - 1):
        keys = np.tile(keys, len(found.indptr) - 1)
    else:
        lengths = np.diff(found.indptr)
        keys = keys[np.arange(found.indptr[-1]) - np.repeat(found.indptr[:-1], lengths)]
    return without_absent(found.indptr, keys, found.items)


def without_absent(indptr: np.ndarray, keys: np.ndarray, items: Any) -> Entries:
    """Entries of numeric ``items``; those that are null are left out."""
    values, there = numbers(items).astype(np.float64), present(items)
    if there is not None:
        indptr = np.concatenate(([0], np.cumsum(there))).astype(np.int64)[indptr]
        keys, values = keys[there], values[there]
    return Entries(indptr, keys, values, np.ones(len(keys), np.bool_))


class Indices:
    """Keys of features that are named by a number, remembered."""

    def __init__(self, names: FeatureNames) -> None:
        self._names, self._of = names, names.by_key
        self._small = np.empty(0, np.int64)  # keys by index, _UNKNOWN where it was not met
        self._met, self._keys = Vocabulary(), np.empty(0, np.int64)  # of all others

    def keys(self, indices: np.ndarray) -> np.ndarray:
        """(indices,) int64, of the names ``str(index)``; ``indices`` are at least 0."""
        if self._of is not self._names.by_key:  # they were forgotten
            self.__init__(self._names)  # type: ignore[misc]
        most = int(indices.max(initial=0))
        if most >= _MOST_SMALL:
            return self._any(indices)
        if most >= len(self._small):
            more = np.full((1 << most.bit_length()) - len(self._small), _UNKNOWN, np.int64)
            self._small = np.concatenate((self._small, more))
        keys: np.ndarray = self._small.take(indices)
        if keys.min(initial=0) == _UNKNOWN:
            new = np.unique(indices[keys == _UNKNOWN])
            self._small[new] = self._names.numbers(new)
            keys = self._small.take(indices)
        return keys

    def _any(self, indices: np.ndarray) -> np.ndarray:
        slots = self._met.find(indices)
        if len(slots) and slots.min() < 0:
            before = self._met.size
            self._met.add(indices)
            new = self._names.numbers(self._met.keys[before:])
            self._keys = np.concatenate((self._keys, new))
            slots = self._met.find(indices)
        return self._keys[slots]


def joined(parts: Sequence[Entries]) -> Entries:
    """Rows of all ``parts`` side by side."""
    if len(parts) == 1:
        return parts[0]
    lengths = [np.diff(part.indptr) for part in parts]
    rows = len(lengths[0])
    widths = [int(length[0]) if rows and (length == length[0]).all() else -1 for length in lengths]
    indptr = np.concatenate(([0], np.cumsum(np.sum(lengths, axis=0)))).astype(np.int64)
    if min(widths) >= 0:
        shaped = list(zip(parts, widths, strict=True))
        columns = (
            np.hstack([getattr(part, name).reshape(rows, width) for part, width in shaped]).ravel()
            for name in ("keys", "values", "numeric")
        )
        return Entries(indptr, *columns)
    size = int(indptr[-1])
    whole = np.empty(size, np.int64), np.empty(size), np.empty(size, np.bool_)
    starts = indptr[:-1].copy()
    for part, length in zip(parts, lengths, strict=True):
        places = np.arange(len(part.keys)) + np.repeat(starts - part.indptr[:-1], length)
        for target, source in zip(whole, part[1:], strict=True):
            target[places] = source
        starts += length
    return Entries(indptr, *whole)
