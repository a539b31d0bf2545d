"""Samples as CSV, one record a message, its columns named by the settings.

A value that reads as a number is one, unless its column is in ``categorical``; any other text is a
category (``f=v`` with value 1), as in JSON; an empty value is absent. ``nan`` and ``inf`` are
refused outside of categorical columns. A request leaves the label empty, or its column out.

A batch is parsed by one call and taken apart column by column; only where that fails is it looked
at record by record.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from flink_ol.core.fields import ConfigError, Section
from flink_ol.core.labels import Labels
from flink_ol.core.messages import Request
from flink_ol.core.samples import Rejection, Samples
from flink_ol.core.wording import shown
from flink_ol.wire.feature_rows import UnusualError, entries
from flink_ol.wire.names import FeatureNames
from flink_ol.wire.text_values import (
    MOST_BYTES,
    encode_importance,
    encode_label,
    not_finite,
    number,
    record_text,
    written,
)

csv.field_size_limit(MOST_BYTES)  # of the process; else a long value depends on who sets it


@dataclass(frozen=True, kw_only=True)
class CsvFields(Section):
    """The columns of a CSV record, which carries no header."""

    columns: tuple[str, ...]
    """The names of all columns in order; each that is no other part is a feature."""
    label: str = "y"
    """The column of the label."""
    importance: str = "w"
    """The column of the importance weight, above 0; 1 where it is empty or there is none."""
    id: str = "id"
    """The column of what a prediction repeats to be found by."""
    time: str = "t"
    """The column of the event time; kept out of the features."""
    categorical: tuple[str, ...] = ()
    """Columns whose values are texts even where they read as numbers."""
    delimiter: str = ","
    """One character between values."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.columns or len(set(self.columns)) < len(self.columns):
            raise ConfigError("columns", self.columns, "names that all differ, at least one")
        if self.label not in self.columns:
            raise ConfigError("label", self.label, f"one of the columns {_listed(self.columns)}")
        parts = (self.label, self.importance, self.id, self.time)
        if len(set(parts)) < len(parts):
            raise ConfigError("label", self.label, "other columns for label, importance, id, time")
        for name in self.categorical:
            if name not in self.columns or name in parts:
                allowed = "columns of features, of " + _listed(self.columns)
                raise ConfigError("categorical", name, allowed)
        if len(self.delimiter) != 1 or self.delimiter in '"\r\n':
            raise ConfigError("delimiter", self.delimiter, "one character, no quote or line end")


class CsvSamples:
    """Decodes and encodes the records of one job."""

    most_bytes = MOST_BYTES

    def __init__(self, labels: Labels, fields: CsvFields) -> None:
        self.labels = labels
        self._fields = fields
        self._names = FeatureNames()
        parts = {fields.label, fields.importance, fields.id, fields.time}
        self._place = {name: i for i, name in enumerate(fields.columns)}
        self._features = [name for name in fields.columns if name not in parts]
        self._categorical = set(fields.categorical)

    def decode(
        self, payloads: Sequence[bytes | None], offsets: np.ndarray
    ) -> tuple[Samples, list[Rejection]]:
        """Samples and rejections of ``payloads``, whose Kafka ``offsets`` (records,) increase."""
        self._names.trim()
        offsets = np.asarray(offsets, np.int64)
        try:
            if len(payloads):
                return self._samples(self._parse(payloads), offsets, True), []
        except (UnusualError, ValueError, TypeError, csv.Error):
            pass
        rows, kept, rejections = [], [], []
        for i, payload in enumerate(payloads):
            try:
                row = self._row(payload)
                self._check(row, True)
            except ValueError as error:
                rejections.append(Rejection(int(offsets[i]), str(error)))
                continue
            rows.append(row)
            kept.append(i)
        return self._samples(rows, offsets[kept], True), rejections

    def decode_request(self, payload: bytes | None, partition: int, offset: int) -> Request:
        """A prediction request: a sample that needs no label."""
        self._names.trim()
        identity = None
        try:
            row = self._row(payload, True)
            identity = self._value(row, self._fields.id) or None
            self._check(row, False)
        except ValueError as error:
            return Request(identity, None, str(error), partition, offset)
        found = self._samples([row], np.array([offset], np.int64), False)
        return Request(identity, found, None, partition, offset)

    def encode(
        self, features: Mapping[str, Any] | Sequence[Any], label: Any = None, **parts: Any
    ) -> bytes:
        """A record; ``parts`` may be importance, id and time. ValueError where it is not one."""
        if not isinstance(features, Mapping):
            features = dict(zip(self._features, features, strict=True))
        columns = {name: self._written(name, value) for name, value in features.items()}
        for part, value in (*parts.items(), ("label", label)):
            if value is not None:
                name = getattr(self._fields, part)
                columns[name] = value if isinstance(value, str) else written(value)
        if unknown := columns.keys() - self._place.keys():
            raise ValueError(f"{shown(min(unknown))} is no column; there are {self._listed}")
        text = io.StringIO()
        writer = csv.writer(text, delimiter=self._fields.delimiter, lineterminator="")
        writer.writerow([columns.get(name, "") for name in self._fields.columns])
        return text.getvalue().encode()

    @property
    def _listed(self) -> str:
        return _listed(self._fields.columns)

    def _parse(self, payloads: Sequence[bytes | None]) -> list[list[str]]:
        """All rows by one call; any error means that some record is unusual."""
        if max(map(len, payloads)) > MOST_BYTES:  # type: ignore[arg-type]
            raise UnusualError
        lines = b"\n\0".join(payloads).decode().split("\n\0")  # type: ignore[arg-type]
        rows = list(self._reader(lines))
        # an open quotation would swallow the next record
        if len(lines) != len(payloads) or len(rows) != len(payloads):
            raise UnusualError
        if set(map(len, rows)) != {len(self._fields.columns)}:
            raise UnusualError
        return rows

    def _row(self, payload: bytes | None, request: bool = False) -> list[str]:
        """The values of one record; ValueError that says why there are none."""
        text = record_text(payload)
        try:
            rows = list(self._reader([text]))
        except csv.Error as error:
            said = "several lines, or a line end outside of quotation marks"
            reason = said if "new-line" in str(error) else str(error)[:100]
            raise ValueError(f"not CSV: {reason}; send one record a message") from None
        row = rows[0] if rows else []
        wanted = len(self._fields.columns)
        if request and len(row) == wanted - 1:
            row.insert(self._place[self._fields.label], "")
        if len(row) != wanted:
            raise ValueError(
                f"the record has {len(row)} values, samples.fields.columns names {wanted}: "
                f"{self._listed}"
            )
        return row

    def _reader(self, lines: list[str]) -> Any:
        return csv.reader(lines, delimiter=self._fields.delimiter, strict=True)

    def _value(self, row: list[str], name: str) -> str:
        place = self._place.get(name)
        return "" if place is None else row[place].strip()

    def _samples(self, rows: list[list[str]], offsets: np.ndarray, labelled: bool) -> Samples:
        """Any error raised here means that some record is unusual."""
        columns = dict(zip(self._fields.columns, zip(*rows, strict=True), strict=False))
        count = len(rows)
        labels, importance = np.full(count, math.nan), np.ones(count)
        if labelled and rows:
            found = columns[self._fields.label]
            known = {word: encode_label(self.labels, word.strip()) for word in set(found)}
            labels = np.array([known[word] for word in found])
        if rows and self._fields.importance in columns:
            importance = np.array([_importance(w) for w in columns[self._fields.importance]])
        values = [
            self._column(name, columns[name]) if rows else np.empty(0) for name in self._features
        ]
        indptr, keys, numbers, numeric = self._entries(values, count)
        names = self._names.by_key
        return Samples(indptr, keys, numbers, numeric, labels, importance, offsets, names)

    def _entries(self, columns: list[Any], count: int) -> tuple[np.ndarray, ...]:
        if count and columns and all(isinstance(column, np.ndarray) for column in columns):
            values = np.column_stack(columns)
            if not np.isfinite(values).all():
                raise UnusualError
            keys = np.tile(self._names.keys(tuple(self._features)), count)
            indptr = np.arange(count + 1, dtype=np.int64) * len(columns)
            return indptr, keys, values.ravel(), np.ones(values.size, np.bool_)
        lists = [c.tolist() if isinstance(c, np.ndarray) else c for c in columns]
        rows = [dict(zip(self._features, row, strict=True)) for row in zip(*lists, strict=True)]
        return tuple(entries(rows or [{}] * count, self._names))

    def _column(self, name: str, found: Sequence[str]) -> np.ndarray | list[Any]:
        """The values of a feature: an array where all are numbers."""
        if name not in self._categorical:
            joined = "".join(found)
            # what float takes beyond numbers: 1_000, digits of other scripts
            if joined.isascii() and "_" not in joined:
                try:
                    return np.array(list(map(float, found)), np.float64)
                except ValueError:
                    pass
        return [self._feature(name, value) for value in found]

    def _feature(self, name: str, value: str) -> float | str | None:
        if not value:
            return None
        if name in self._categorical:
            return value
        found = number(value.strip())
        if (found is None and not_finite(value.strip())) or (
            found is not None and not math.isfinite(found)
        ):
            raise ValueError(
                f"feature {shown(name)} is {shown(value)}; give a finite number, or leave it empty"
            )
        return value if found is None else found

    def _check(self, row: list[str], labelled: bool) -> None:
        """ValueError that says why ``row`` cannot be used."""
        name = self._fields.label
        if labelled:
            label = self._value(row, name)
            if not label:
                raise ValueError(f"samples.fields.label: {name!r} is empty")
            try:
                encode_label(self.labels, label)
            except ValueError as error:
                raise ValueError(f"samples.fields.label: {name!r}: {error}") from None
        _importance(self._value(row, self._fields.importance))
        for feature in self._features:
            self._feature(feature, row[self._place[feature]])

    def _written(self, name: str, value: Any) -> str:
        if value is None:
            return ""
        if not isinstance(value, str):
            return written(value)
        if name in self._place and self._feature(name, value) != value:
            raise ValueError(
                f"feature {shown(name)} is the text {shown(value)}, which would be read otherwise; "
                "name its column in samples.fields.categorical"
            )
        return value


def _importance(word: str) -> float:
    text = word.strip()
    return encode_importance("samples.fields.importance", text) if text else 1.0


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 20 else f"{names[0]} to {names[-1]}"
