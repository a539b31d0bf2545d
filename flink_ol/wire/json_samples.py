"""Samples as JSON, one a message.

``{"x": {"name": value, ...} or [value, ...], "y": label, "w": importance, "id": ..., "t": ...}``,
the names of the parts being settings; or flat records, where every other field is a feature.
A feature is a number, or a text or truth value (``f=v`` with value 1), or null (absent). Of a key
that stands twice in an object the last counts, as JSON readers do.

A batch whose records differ in their numbers alone is read by json_rows, any other by json_records.
The records that those leave are parsed by one call and taken apart column by column. Only if there
is something wrong among them they are looked at one by one, to find which ones and why.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import numpy as np
import orjson

from flink_ol.core.fields import Section
from flink_ol.core.labels import Labels
from flink_ol.core.messages import Request
from flink_ol.core.samples import Rejection, Samples, by_offset
from flink_ol.core.wording import shown
from flink_ol.wire.feature_rows import NUMBERS, Entries, UnusualError, entries, named, stacked
from flink_ol.wire.json_arrays import array_entries, array_of, encoded_array, is_array
from flink_ol.wire.json_faults import (
    MOST_BYTES,
    features_fault,
    importance_fault,
    parse_record,
)
from flink_ol.wire.json_records import JsonRecords
from flink_ol.wire.json_rows import AlikeRows
from flink_ol.wire.names import FeatureNames


@dataclass(frozen=True, kw_only=True)
class JsonFields(Section):
    """The names of the parts of a JSON record."""

    features: str | None = "x"
    """Holds the features; null: every field that is no other part is one."""
    label: str = "y"
    """Holds the label."""
    importance: str = "w"
    """Holds the importance weight, above 0; 1 where it is absent."""
    id: str = "id"
    """Holds what a prediction repeats to be found by; any scalar."""
    time: str = "t"
    """Holds the event time; kept out of the features."""


class JsonSamples:
    """Decodes and encodes the records of one job."""

    most_bytes = MOST_BYTES

    def __init__(self, labels: Labels, fields: JsonFields) -> None:
        self.labels = labels
        self._fields = fields
        self._names = FeatureNames()
        self._alike = AlikeRows(labels, fields, self._names)
        self._records = JsonRecords(labels, fields, self._names)
        self._parts = {fields.label, fields.importance, fields.id, fields.time}
        # stands between records, so that none can pass for two, or two for one: see _parse
        self._sentinel = secrets.randbits(62)
        self._separator = b",%d," % self._sentinel

    def decode(
        self, payloads: Sequence[bytes | None], offsets: np.ndarray
    ) -> tuple[Samples, list[Rejection]]:
        """Samples and rejections of ``payloads``, whose Kafka ``offsets`` (records,) increase."""
        self._names.trim()
        alike = self._alike.samples(payloads, offsets)
        if alike is not None:
            return alike, []
        offsets = np.asarray(offsets, np.int64)
        read = self._records.read(payloads, offsets)
        if read is None or read.careful.all():
            return self._parsed(payloads, offsets)
        left = np.flatnonzero(read.careful)
        if not len(left):
            return read.samples, []
        samples, rejections = self._parsed([payloads[i] for i in left.tolist()], offsets[left])
        return by_offset(read.samples, samples), rejections

    def _parsed(
        self, payloads: Sequence[bytes | None], offsets: np.ndarray
    ) -> tuple[Samples, list[Rejection]]:
        rejections: list[Rejection] = []
        records = self._parse(payloads)
        if records is None:
            records, offsets = self._parse_each(payloads, offsets, rejections)
        try:
            return self._samples(records, offsets, True), rejections
        except (UnusualError, KeyError, TypeError, AttributeError, OverflowError):
            faults = [self._fault(record, True) for record in records]
        good = [i for i, fault in enumerate(faults) if fault is None]
        rejections += (
            Rejection(int(offset), fault)
            for offset, fault in zip(offsets, faults, strict=True)
            if fault is not None
        )
        rejections.sort()
        return self._samples([records[i] for i in good], offsets[good], True), rejections

    def decode_request(self, payload: bytes | None, partition: int, offset: int) -> Request:
        """A prediction request: a sample that needs no label."""
        self._names.trim()
        try:
            record = parse_record(payload)
        except ValueError as error:
            return Request(None, None, str(error), partition, offset)
        identity = record.get(self._fields.id)
        if isinstance(identity, dict | list):
            identity = None
        fault = self._fault(record, False)
        if fault is not None:
            return Request(identity, None, fault, partition, offset)
        row = self._samples([record], np.array([offset], np.int64), False)
        return Request(identity, row, None, partition, offset)

    def encode(
        self, features: Mapping[str, Any] | Sequence[Any], label: Any = None, **parts: Any
    ) -> bytes:
        """A record; ``parts`` may be importance, id and time. An array travels as its bytes."""
        if isinstance(features, np.ndarray):
            features = (
                features.tolist() if self._fields.features is None else encoded_array(features)
            )
        names = self._fields
        fields = {getattr(names, part): value for part, value in parts.items()}
        if label is not None:
            fields[names.label] = label
        if names.features is not None:
            return orjson.dumps({names.features: features, **fields})
        if not isinstance(features, Mapping):
            features = {str(i): value for i, value in enumerate(features)}
        return orjson.dumps({**features, **fields})

    def _parse(self, payloads: Sequence[bytes | None]) -> list[dict[str, Any]] | None:
        """All records by one call, or None: some are not JSON objects, or too large."""
        if not payloads:
            return []
        try:
            if max(map(len, payloads)) > MOST_BYTES:  # type: ignore[arg-type]
                return None
            joined = self._separator.join(payloads)  # type: ignore[arg-type]
            found = orjson.loads(b"".join((b"[", joined, b"]")))
        except (TypeError, orjson.JSONDecodeError):
            return None
        records = found[::2]
        if (
            len(found) != 2 * len(payloads) - 1
            or found[1::2].count(self._sentinel) != len(payloads) - 1
            or set(map(type, records)) != {dict}
        ):
            return None
        return records

    @staticmethod
    def _parse_each(
        payloads: Sequence[bytes | None], offsets: np.ndarray, rejections: list[Rejection]
    ) -> tuple[list[dict[str, Any]], np.ndarray]:
        records, kept = [], []
        for i, payload in enumerate(payloads):
            try:
                records.append(parse_record(payload))
                kept.append(i)
            except ValueError as error:
                rejections.append(Rejection(int(offsets[i]), str(error)))
        return records, offsets[kept]

    def _samples(
        self, records: list[dict[str, Any]], offsets: np.ndarray, labelled: bool
    ) -> Samples:
        """Any error raised here means that some record is unusual."""
        count = len(records)
        labels = self._labels(records) if labelled else np.full(count, math.nan)
        importance = self._importance(records)
        rows = self._rows(records)
        indptr, keys, values, numeric = self._entries(rows)
        offsets = np.asarray(offsets, np.int64)
        return Samples(
            indptr, keys, values, numeric, labels, importance, offsets, self._names.by_key
        )

    def _entries(self, rows: list[Any]) -> Entries:
        arrays = [is_array(row) for row in rows] if self._fields.features is not None else []
        if not any(arrays):
            return entries(rows, self._names)
        try:
            if all(arrays):
                return array_entries(rows, self._names)
            parts = [
                array_entries([row], self._names) if array else entries([row], self._names)
                for row, array in zip(rows, arrays, strict=True)
            ]
        except ValueError:
            raise UnusualError from None
        return stacked(parts)

    def _labels(self, records: list[dict[str, Any]]) -> np.ndarray:
        found = list(map(itemgetter(self._fields.label), records))
        kinds = set(map(type, found))
        if self.labels.task == "regression":
            if not kinds <= NUMBERS:
                raise UnusualError
            labels = np.array(found, np.float64)
            if not np.isfinite(labels).all() or (labels < self.labels.least_target).any():
                raise UnusualError
            return labels
        if bool in kinds:
            return np.array([self._label(label) for label in found], np.float64)
        return np.array(list(map(self.labels.index.__getitem__, found)), np.float64)

    def _label(self, label: Any) -> float:
        try:
            return self.labels.encode(label)
        except ValueError:
            raise UnusualError from None

    def _importance(self, records: list[dict[str, Any]]) -> np.ndarray:
        name = self._fields.importance
        found = [record[name] for record in records if name in record]
        if not found:
            return np.ones(len(records))
        if not set(map(type, found)) <= NUMBERS:
            raise UnusualError
        importance = np.array([record.get(name, 1.0) for record in records], np.float64)
        if not (np.isfinite(importance).all() and importance.min() > 0):
            raise UnusualError
        return importance

    def _rows(self, records: list[dict[str, Any]]) -> list[Any]:
        """Each record's features: mappings, or lists."""
        if self._fields.features is not None:
            return list(map(itemgetter(self._fields.features), records))
        parts = self._parts
        return [{k: v for k, v in record.items() if k not in parts} for record in records]

    def _fault(self, record: dict[str, Any], labelled: bool) -> str | None:
        """Why ``record`` cannot be used; None if it can."""
        names = self._fields
        if labelled:
            if names.label not in record:
                return f"samples.fields.label: {names.label!r} is missing"
            try:
                self.labels.encode(record[names.label])
            except ValueError as error:
                return f"samples.fields.label: {names.label!r}: {error}"
        if fault := importance_fault(names.importance, record.get(names.importance, 1.0)):
            return fault
        if names.features is not None and names.features not in record:
            return f"samples.fields.features: {names.features!r} is missing"
        (row,) = self._rows([record])
        if names.features is not None and is_array(row):
            try:
                array_of(row)
            except ValueError as error:
                return f"samples.fields.features: {names.features!r}: {error}"
            return None
        if isinstance(row, list):
            row = named(row, self._names)
        if not isinstance(row, dict):
            return (
                f"samples.fields.features: {names.features!r} is {shown(row)}; "
                "give an object of names and values, or a list of values"
            )
        return features_fault(row)
