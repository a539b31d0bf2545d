"""Slices: the evaluation apart for every value of a categorical feature.

Under ``slice/FIELD/NAME`` stand arrays with a row for every value, and under ``slice/FIELD/values``
the values as JSON (a list of texts, uint8). Row 0 are the samples without the field, row 1 those of
all values that found no row any more, then come the values in the order of the log. There are at
most 100 of them, of at most 100 characters each, and fewer of tasks with more than 100 classes;
every sample is in one row.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from flink_ol.core.evaluation.sums import SLICE, TARGETS, Sums, add, joined_array
from flink_ol.core.samples import Samples

ABSENT, OTHER, FIRST = range(3)

_MOST_VALUES = 100
_MOST_CELLS = 10_000  # values times classes
_MOST_CHARACTERS = 100  # of a value: a metrics message has all of them, and has to fit in a record
_VALUES = "values"


class Grouping(NamedTuple):
    """Which row each sample of a batch belongs to."""

    rows: np.ndarray  # (samples,) int64
    values: list[str]  # of the rows from FIRST on


def most_values(classes: int) -> int:
    """How many values of a field have a row of their own."""
    return max(1, min(_MOST_VALUES, _MOST_CELLS // max(1, classes)))


def grouping(samples: Samples, field: str, most: int) -> Grouping:
    """The samples by the value of ``field``, the ``most`` first values met.

    A value is that of the feature ``field=value``; of several in a sample the last counts.
    """
    categorical = ~samples.numeric
    keys, first, inverse = np.unique(
        samples.keys[categorical], return_index=True, return_inverse=True
    )
    rows_of_keys = np.full(len(keys), -1, np.int64)
    values: list[str] = []
    start = field + "="
    for i in np.argsort(first):
        name = samples.names.get(int(keys[i]), "")
        if name.startswith(start):
            value = name[len(start) :]
            if len(values) < most and len(value) <= _MOST_CHARACTERS:
                rows_of_keys[i] = FIRST + len(values)
                values.append(value)
            else:
                rows_of_keys[i] = OTHER
    owners = np.repeat(np.arange(len(samples)), np.diff(samples.indptr))[categorical]
    found = rows_of_keys[inverse]
    rows = np.full(len(samples), ABSENT, np.int64)
    rows[owners[found >= 0]] = found[found >= 0]
    return Grouping(rows, values)


def named_sums(field: str, group: Grouping, sums: Mapping[str, np.ndarray]) -> Sums:
    """``sums``, whose rows are those of ``group``, by the names they have among all sums."""
    arrays = {_VALUES: _text(group.values), **sums}
    return {f"{SLICE}{field}/{name}": value for name, value in arrays.items()}


def fields(sums: Mapping[str, np.ndarray]) -> list[str]:
    """The fields that ``sums`` have slices of."""
    end = "/" + _VALUES
    named = (name for name in sums if name.startswith(SLICE) and name.endswith(end))
    return [name[len(SLICE) : -len(end)] for name in named]


def each(sums: Mapping[str, np.ndarray], field: str) -> Iterator[tuple[int, str, Sums]]:
    """(row, value, sums) of every row; the first two have no value."""
    arrays = _of_field(sums, field)
    values = _values(arrays.pop(_VALUES))
    for row, value in enumerate(["", "", *values]):
        yield row, value, {name: array[row] for name, array in arrays.items()}


def add_sums(ours: Mapping[str, np.ndarray], theirs: Mapping[str, np.ndarray]) -> Sums:
    """The sums of two disjoint sets of samples."""
    joined = add(_without_slices(ours), _without_slices(theirs))
    for field in dict.fromkeys([*fields(ours), *fields(theirs)]):
        added = _add_field(_of_field(ours, field), _of_field(theirs, field))
        joined |= {f"{SLICE}{field}/{name}": value for name, value in added.items()}
    return joined


def _add_field(ours: Sums, theirs: Sums) -> Sums:
    if not ours or not theirs:
        return {name: np.array(value) for name, value in (ours or theirs).items()}
    classes = ours["counts"].shape[-1] if "counts" in ours else 1
    values = _values(ours[_VALUES])
    rows = {value: FIRST + i for i, value in enumerate(values)}
    places = [ABSENT, OTHER]
    for value in _values(theirs[_VALUES]):
        if value not in rows and len(values) < most_values(classes):
            rows[value] = FIRST + len(values)
            values.append(value)
        places.append(rows.get(value, OTHER))
    joined = {_VALUES: _text(values)}
    for name, array in theirs.items():
        if name == _VALUES:
            continue
        whole = np.zeros((FIRST + len(values), *array.shape[1:]), array.dtype)
        whole[: len(ours[name])] = ours[name]
        if name == TARGETS:
            for row, place in enumerate(places):
                whole[place] = joined_array(name, whole[place], array[row])
        else:
            np.add.at(whole, places, array)
        joined[name] = whole
    return joined


def _without_slices(sums: Mapping[str, np.ndarray]) -> Sums:
    return {name: value for name, value in sums.items() if not name.startswith(SLICE)}


def _of_field(sums: Mapping[str, np.ndarray], field: str) -> Sums:
    start = f"{SLICE}{field}/"
    return {
        name[len(start) :]: value
        for name, value in sums.items()
        if name.startswith(start) and "/" not in name[len(start) :]
    }


def _text(values: list[str]) -> np.ndarray:
    return np.frombuffer(json.dumps(values, ensure_ascii=False).encode(), np.uint8).copy()


def _values(text: np.ndarray) -> list[str]:
    return [str(value) for value in json.loads(text.tobytes())]
