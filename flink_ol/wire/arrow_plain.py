"""Arrow messages of plain numbers, many at once: their buffers are read where they lie.

For messages of one record batch, without nulls, dictionaries and compression, whose columns are
numbers, lists of numbers or raw arrays of a fixed size, or the pair of indices and values. What
their metadata say is remembered by the bytes, so that like messages cost little more than copying
their columns.
All else, and whatever has something wrong in it, is left to arrow_rows.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from flink_ol.core.labels import Labels
from flink_ol.core.samples import Samples
from flink_ol.wire.arrow_columns import MOST_ENTRIES, Indices
from flink_ol.wire.arrow_plans import Numbers, Plan, Plans
from flink_ol.wire.names import FeatureNames

_MOST_LABELS = 1 << 16  # between the least and the largest, to be looked up in a table


class Message(NamedTuple):
    payload: bytes
    offset: int
    plan: Plan
    body: int  # where it begins in the payload

    def read(self, numbers: Numbers) -> np.ndarray:
        """(count,) of the column's type, a view; ValueError beyond the end."""
        start = self.body + numbers.start
        return np.frombuffer(self.payload, numbers.kind, numbers.count, start)


class PlainMessages:
    """Reads what is plain among the messages of one job."""

    def __init__(self, labels: Labels, fields: object, names: FeatureNames, known: Indices) -> None:
        self._labels, self._names, self._known = labels, names, known
        self._plans = Plans(fields)
        self._tables: dict[tuple[int, int], np.ndarray] = {}

    def message(self, payload: bytes | None, offset: int) -> Message | None:
        """The message, if it is plain."""
        try:
            found = self._plans.find(payload) if payload else None
        except (ValueError, struct.error):
            return None  # whatever it is, arrow_rows says what is wrong with it
        if found is None or payload is None or found[0].entries > MOST_ENTRIES:
            return None
        return Message(payload, offset, *found)

    def samples(self, messages: Sequence[Message]) -> Samples | None:
        """The rows of messages of one schema; None if anything is wrong with one of them."""
        plan = messages[0].plan
        labels = self._label([one.read(one.plan.label) for one in messages])
        if labels is None:
            return None
        counts = [one.plan.rows for one in messages]
        importance = np.ones(len(labels))
        if plan.importance is not None:
            parts = [one.read(one.plan.importance) for one in messages if one.plan.importance]
            importance = np.concatenate(parts, dtype=np.float64)
            if not (importance > 0).all() or not np.isfinite(importance).all():
                return None
        features = self._sparse(messages) if plan.sparse else self._dense(messages, len(labels))
        if features is None or not _finite(features[2]):
            return None
        offsets = np.repeat(np.array([one.offset for one in messages], np.int64), counts)
        return Samples(*features, labels, importance, offsets, self._names.by_key)

    def _dense(
        self, messages: Sequence[Message], rows: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Row pointers, keys, values and whether they are numeric, as Samples has them."""
        plan = messages[0].plan
        names = plan.names + tuple(
            name for of, count in plan.lists for name in self._names.numbered(count, of)
        )
        width = len(names)
        values = np.empty((rows, width))
        first = 0
        for one in messages:
            last, left = first + one.plan.rows, 0
            for numbers in one.plan.dense:
                right = left + numbers.count // one.plan.rows
                values[first:last, left:right] = one.read(numbers).reshape(-1, right - left)
                left = right
            first = last
        keys = np.empty((rows, width), np.int64)
        keys[:] = self._names.keys(names)
        indptr = np.arange(rows + 1, dtype=np.int64) * width
        return indptr, keys.ravel(), values.ravel(), np.ones(rows * width, np.bool_)

    def _sparse(
        self, messages: Sequence[Message]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None:
        indptr, indices, values = [np.zeros(1, np.int64)], [], []
        total = 0
        for one in messages:
            assert one.plan.sparse is not None
            bounds, places, others, amounts = map(one.read, one.plan.sparse)
            sound = bounds[0] == 0 and bounds[-1] == len(places) == len(amounts)
            if not (sound and np.array_equal(bounds, others) and (np.diff(bounds) >= 0).all()):
                return None
            indptr.append(bounds[1:].astype(np.int64) + total)
            indices.append(places)
            values.append(amounts)
            total += len(places)
        named = np.concatenate(indices, dtype=np.int64, casting="unsafe")
        if named.min() < 0:  # or of 64 bits without a sign
            return None
        numbers = np.concatenate(values, dtype=np.float64)
        keys = self._known.keys(named)
        return np.concatenate(indptr), keys, numbers, np.ones(total, np.bool_)

    def _label(self, parts: Sequence[np.ndarray]) -> np.ndarray | None:
        """(rows,) class indices or targets; None if one is no label."""
        if self._labels.task == "regression":
            targets = np.concatenate(parts, dtype=np.float64)
            sound = _finite(targets) and targets.min() >= self._labels.least_target
            return targets if sound else None
        given = np.concatenate(parts)
        with np.errstate(invalid="ignore"):
            codes = given.astype(np.int64)
        least, most = int(codes.min()), int(codes.max())
        if most - least >= _MOST_LABELS or not (codes == given).all():
            return None
        table = self._tables.get((least, most))
        if table is None:
            if len(self._tables) >= 100:
                self._tables.clear()
            table = np.array([self._index(code) for code in range(least, most + 1)])
            self._tables[least, most] = table
        labels: np.ndarray = table[codes - least]
        return None if np.isnan(labels).any() else labels

    def _index(self, code: int) -> float:
        try:
            return self._labels.encode(code)
        except ValueError:
            return math.nan


def _finite(values: np.ndarray) -> bool:
    """Whether all are; the sum of finite ones seldom is not, and takes no memory."""
    with np.errstate(over="ignore", invalid="ignore"):
        total = float(values.sum())
    return math.isfinite(total) or bool(np.isfinite(values).all())
