"""Rows of named values to the entries of samples: by columns where rows are alike."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from flink_ol.wire.names import FeatureNames

NUMBERS = {int, float}
SCALARS = {int, float, str, bool, type(None)}


class UnusualError(Exception):
    """Some record of the batch cannot be used, or not in this way."""


class Entries(NamedTuple):
    """The features of samples, as core.samples.Samples has them."""

    indptr: np.ndarray  # (rows + 1,) int64
    keys: np.ndarray  # (entries,) int64
    values: np.ndarray  # (entries,) float64, finite
    numeric: np.ndarray  # (entries,) bool


def entries(rows: list[Any], names: FeatureNames) -> Entries:
    """The entries of ``rows``, mappings from name to scalar or lists of scalars.

    Raises UnusualError, or TypeError or KeyError, if some row is something else.
    """
    found = _columns(rows, names) if rows else None
    if found is None:
        found = _any_rows(rows, names)
    if not np.isfinite(found.values).all():
        raise UnusualError
    return found


def infinite_rows(indptr: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Which rows have a number beyond what 64 bits hold: (rows,) bool."""
    found = np.zeros(len(indptr) - 1, np.bool_)
    finite = np.isfinite(values)
    if not finite.all():
        found[np.searchsorted(indptr, np.flatnonzero(~finite), "right") - 1] = True
    return found


def stacked(parts: Sequence[Entries]) -> Entries:
    """The rows of all ``parts``, one part after the other."""
    lengths = np.concatenate([np.diff(part.indptr) for part in parts])
    indptr = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
    keys, values, numeric = (
        np.concatenate(column) for column in list(zip(*parts, strict=True))[1:]
    )
    return Entries(indptr, keys, values, numeric)


def named(row: list[Any], names: FeatureNames) -> dict[str, Any]:
    """A list's values by their names "0", "1", ..."""
    return dict(zip(names.numbered(len(row)), row, strict=True))


def _columns(rows: list[Any], names: FeatureNames) -> Entries | None:
    """The entries where all rows are numbers of the same names, else None."""
    first, width = rows[0], len(rows[0])
    if width == 0 or set(map(len, rows)) != {width}:
        return None
    kinds = set(map(type, rows))
    if kinds == {dict}:
        columns = tuple(first)
        try:
            # by name, whatever the order in the record; of one name it gives no tuples
            picked = map(itemgetter(*columns), rows)
            found = list(picked if width == 1 else chain.from_iterable(picked))
        except KeyError:
            return None
    elif kinds == {list}:
        columns = names.numbered(width)
        found = list(chain.from_iterable(rows))
    else:
        return None
    if not set(map(type, found)) <= NUMBERS:
        return None
    keys = np.tile(names.keys(columns), len(rows))
    indptr = np.arange(len(rows) + 1, dtype=np.int64) * width
    return Entries(indptr, keys, np.array(found, np.float64), np.ones(len(keys), np.bool_))


def _any_rows(rows: list[Any], names: FeatureNames) -> Entries:
    """The entries of any rows of scalars."""
    if not set(map(type, rows)) <= {dict}:
        rows = [_as_mapping(row, names) for row in rows]
    found = list(chain.from_iterable(rows))
    values = list(chain.from_iterable(map(dict.values, rows)))
    lengths = np.array(list(map(len, rows)), np.int64)
    kinds = set(map(type, values))
    if not kinds <= SCALARS:
        raise UnusualError
    if type(None) in kinds:
        present = np.array([value is not None for value in values], np.bool_)
        ends = np.concatenate(([0], np.cumsum(present)))
        lengths = np.diff(ends[np.concatenate(([0], np.cumsum(lengths)))])
        pairs = [(n, v) for n, v in zip(found, values, strict=True) if v is not None]
        found, values = [n for n, _ in pairs], [v for _, v in pairs]
    indptr = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
    if kinds <= NUMBERS:
        numeric = np.ones(len(values), np.bool_)
        return Entries(indptr, names.keys(found), np.array(values, np.float64), numeric)
    texts = [isinstance(value, str | bool) for value in values]
    keys = names.keys(
        [
            names.categorical(name, value) if text else name
            for name, value, text in zip(found, values, texts, strict=True)
        ]
    )
    numbers = [1.0 if text else value for value, text in zip(values, texts, strict=True)]
    return Entries(indptr, keys, np.array(numbers, np.float64), ~np.array(texts, np.bool_))


def _as_mapping(row: Any, names: FeatureNames) -> dict[str, Any]:
    if isinstance(row, dict):
        return row
    if not isinstance(row, list):
        raise UnusualError
    return named(row, names)
