"""JSON records that are alike but for their numbers, as most streams of numbers are.

The first record tells the layout; the others are compared with it byte by byte and only their
numbers are read, several times faster than any parser of JSON. What does not fit, or has a number
that cannot be read so to the last bit, mostly one of more than 18 digits, is for others.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
import orjson

from flink_ol.core.labels import Labels
from flink_ol.core.samples import Samples
from flink_ol.wire.feature_rows import NUMBERS
from flink_ol.wire.json_faults import MOST_BYTES
from flink_ol.wire.names import FeatureNames

_TEXT_OR_NUMBER = re.compile(
    rb'"(?:[^"\\]|\\.)*"|(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)'
)
_LABEL, _IMPORTANCE, _NOTHING = "label", "importance", "nothing"
_PATIENCE = 8  # batches that do not fit, until trying becomes rare
_RARELY = 16


class Layout(NamedTuple):
    """What stands between the numbers of a record, and what the numbers are."""

    literal: np.ndarray  # uint8, the pieces one after the other
    literal_ends: np.ndarray  # (numbers + 1,) int64
    columns: tuple[str, ...]  # names of the features
    places: np.ndarray  # (features,) int64, their numbers
    label: int  # its number
    importance: int  # its number; -1: none


class AlikeRows:
    """Reads the batches of one decoder whose records are alike."""

    def __init__(self, labels: Labels, fields: Any, names: FeatureNames) -> None:
        """``fields``: of JsonSamples."""
        self._labels, self._fields, self._names = labels, fields, names
        self._layout: Layout | None = None
        self._missed = 0

    def samples(self, payloads: Sequence[bytes | None], offsets: np.ndarray) -> Samples | None:
        """The samples of ``payloads``; None unless all are alike and none is at fault."""
        if not payloads or (self._missed > _PATIENCE and self._missed % _RARELY):
            self._missed += 1
            return None
        try:
            text = np.frombuffer(b"".join(payloads), np.uint8)  # type: ignore[arg-type]
        except TypeError:  # a tombstone is among them
            return None
        lengths = np.fromiter(map(len, payloads), np.int64, len(payloads))  # type: ignore[arg-type]
        found = None
        if lengths.max() <= MOST_BYTES:
            ends = np.cumsum(lengths)
            found = self._read(text, ends, offsets)
            if found is None:
                self._layout = layout_of(payloads[0], self._fields)
                found = self._read(text, ends, offsets)
        self._missed = 0 if found is not None else self._missed + 1
        return found

    def _read(self, text: np.ndarray, ends: np.ndarray, offsets: np.ndarray) -> Samples | None:
        from flink_ol.core.features.number_rows import read_rows

        layout = self._layout
        if layout is None:
            return None
        count, width = len(ends), len(layout.columns)
        numbers = np.empty((count, len(layout.literal_ends) - 1))
        if read_rows(text, ends, layout.literal, layout.literal_ends, numbers) < count:
            return None
        labels = self._encoded(numbers[:, layout.label])
        importance = np.ones(count)
        if layout.importance >= 0:
            importance = numbers[:, layout.importance].copy()
        if labels is None or importance.min() <= 0.0:
            return None
        return Samples(
            np.arange(count + 1, dtype=np.int64) * width,
            np.tile(self._names.keys(layout.columns), count),
            numbers[:, layout.places].ravel(),
            np.ones(count * width, np.bool_),
            labels,
            importance,
            np.asarray(offsets, np.int64),
            self._names.by_key,
        )

    def _encoded(self, labels: np.ndarray) -> np.ndarray | None:
        """Labels as the core counts them; None if one is none."""
        if self._labels.task == "regression":
            return labels.copy() if (labels >= self._labels.least_target).all() else None
        distinct, places = np.unique(labels, return_inverse=True)
        found = [self._labels.index.get(label) for label in distinct.tolist()]
        return None if None in found else np.array(found, np.float64)[places]


def layout_of(payload: bytes | None, fields: Any) -> Layout | None:
    """The layout of a record; None if it has features that are not numbers, or no label."""
    try:
        record = orjson.loads(payload or b"")
    except orjson.JSONDecodeError:
        return None
    roles = _roles(record, fields) if isinstance(record, dict) else None
    if roles is None or roles.count(_LABEL) != 1:
        return None
    literals, at = [], 0
    for token in _TEXT_OR_NUMBER.finditer(payload or b""):
        if token.lastindex:
            literals.append((payload or b"")[at : token.start()])
            at = token.end()
    literals.append((payload or b"")[at:])
    if len(literals) != len(roles) + 1:
        return None  # a key stands twice, or numbers stand where nobody looks
    features = [i for i, role in enumerate(roles) if isinstance(role, tuple)]
    return Layout(
        np.frombuffer(b"".join(literals), np.uint8),
        np.array(list(accumulate(map(len, literals))), np.int64),
        tuple(roles[i][0] for i in features),
        np.array(features, np.int64),
        roles.index(_LABEL),
        roles.index(_IMPORTANCE) if _IMPORTANCE in roles else -1,
    )


def _roles(record: dict[str, Any], fields: Any) -> list[Any] | None:
    """What each number of the record is, in order: a part, or the name of a feature in a tuple."""
    parts = {
        fields.label: _LABEL,
        fields.importance: _IMPORTANCE,
        fields.id: _NOTHING,
        fields.time: _NOTHING,
    }
    roles: list[Any] = []
    for key, value in record.items():
        if key == fields.features:
            inner = value
            if isinstance(value, list):
                inner = {str(i): number for i, number in enumerate(value)}
            if not (isinstance(inner, dict) and inner and _all_numbers(inner.values())):
                return None
            roles += ((name,) for name in inner)
        elif type(value) in NUMBERS:
            flat = fields.features is None and key not in parts
            roles.append((key,) if flat else parts.get(key, _NOTHING))
        elif (
            isinstance(value, dict | list)
            or parts.get(key) in (_LABEL, _IMPORTANCE)
            or (fields.features is None and key not in parts)
        ):
            return None
    return roles if any(isinstance(role, tuple) for role in roles) else None


def _all_numbers(values: Any) -> bool:
    return set(map(type, values)) <= NUMBERS
