"""One Arrow message to its samples, and what is wrong with which of its rows."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import numpy as np
import pyarrow as pa

from flink_ol.core.labels import Labels
from flink_ol.core.samples import Samples
from flink_ol.core.wording import shown
from flink_ol.wire import arrow_columns as columns
from flink_ol.wire.arrow_arrays import array_entries
from flink_ol.wire.arrow_layout import Layout, count, layout, number
from flink_ol.wire.arrow_stream import MOST_BYTES, checked
from flink_ol.wire.feature_rows import Entries, stacked
from flink_ol.wire.json_faults import importance_fault
from flink_ol.wire.names import FeatureNames

_REMEMBERED = 100  # layouts, of different schemas
_READ = pa.ipc.IpcReadOptions(ensure_native_endian=False, use_threads=False)
_SCALARS = (str, bool, int, float)

Faults = dict[int, str]  # by row


class ArrowRows:
    """Reads the messages of one job."""

    def __init__(self, labels: Labels, fields: Any, names: FeatureNames) -> None:
        self._labels, self._fields, self._names = labels, fields, names
        self._layouts: dict[bytes, Layout] = {}
        self.indices = columns.Indices(names)

    def samples(self, payload: bytes | None, offset: int, labelled: bool) -> tuple[Samples, Faults]:
        """All rows, those at fault too; ValueError where the message cannot be read."""
        found, batches = self._read(payload)
        if labelled and found.label is None:
            raise ValueError(f"samples.fields.label: {self._fields.label!r} is missing")
        faults: Faults = {}
        entries, labels, importance = [], [], []
        first = 0
        for batch in batches:
            of_batch: Faults = {}
            labels.append(self._label(batch, found, labelled, of_batch))
            importance.append(self._importance(batch, found, of_batch))
            entries.append(self._entries(batch, found, of_batch))
            faults |= {first + row: why for row, why in of_batch.items()}
            first += batch.num_rows
        indptr, keys, values, numeric = entries[0] if len(entries) == 1 else stacked(entries)
        samples = Samples(
            indptr,
            keys,
            values,
            numeric,
            np.concatenate(labels),
            np.concatenate(importance),
            np.full(first, offset, np.int64),
            self._names.by_key,
        )
        return samples, faults

    def identity(self, payload: bytes | None) -> Any:
        """The id of the first row; None if it has none."""
        found, batches = self._read(payload)
        value = batches[0].column(found.id)[0].as_py() if found.id is not None else None
        return value if isinstance(value, _SCALARS) else None

    def _read(self, payload: bytes | None) -> tuple[Layout, list[Any]]:
        """The layout and the record batches that have rows; all of it sound."""
        said = checked(payload)
        try:
            reader = pa.ipc.open_stream(pa.py_buffer(payload), options=_READ)
            found = self._layouts.get(said.schema)
            if found is None:
                # before a batch is read: of other types the library's own checks are not relied on
                found = layout(reader.schema, self._fields)
                if len(self._layouts) < _REMEMBERED:
                    self._layouts[said.schema] = found
            batches = [batch for batch in reader if batch.num_rows]
            for batch in batches:
                batch.validate(full=True)
        except (pa.ArrowException, OSError) as error:
            raise ValueError(f"the Arrow stream is damaged: {str(error)[:200]}") from None
        entries = sum(count(batch, found) for batch in batches)
        if entries > columns.MOST_ENTRIES:
            most = columns.MOST_ENTRIES
            raise ValueError(f"{entries} features in one message, at most {most}; send fewer rows")
        texts = sum(
            batch.column(place).dictionary.nbytes
            for batch in batches
            for place, _, text in found.scalars
            if text and pa.types.is_dictionary(batch.schema.field(place).type)
        )
        if texts > MOST_BYTES:
            raise ValueError(f"{texts} bytes of texts in one message, at most {MOST_BYTES}")
        return found, batches

    def _label(self, batch: Any, found: Layout, labelled: bool, faults: Faults) -> np.ndarray:
        """(rows,) class indices or targets."""
        if not labelled or found.label is None:
            return np.full(batch.num_rows, math.nan)
        column = batch.column(found.label)
        if self._labels.task == "regression" and number(column.type):
            labels = columns.numbers(column).astype(np.float64)
            with np.errstate(invalid="ignore"):
                wrong = ~np.isfinite(labels) | (labels < self._labels.least_target)
            there = columns.present(column)
            for row in np.flatnonzero(wrong).tolist():
                null = there is not None and not there[row]
                self._label_of(None if null else float(labels[row]), row, faults)
            return labels
        values, codes = columns.distinct(column)
        by_code = np.full(len(values) + 1, math.nan)  # the last: null
        for code, value in enumerate(values):
            with contextlib.suppress(ValueError):
                by_code[code] = self._labels.encode(value)
        labels = by_code[codes]
        for row in np.flatnonzero(np.isnan(labels)).tolist():
            code = int(codes[row])
            self._label_of(None if code < 0 else values[code], row, faults)
        return labels

    def _label_of(self, value: Any, row: int, faults: Faults) -> None:
        try:
            self._labels.encode(value)
        except ValueError as error:
            faults.setdefault(row, f"samples.fields.label: {self._fields.label!r}: {error}")

    def _importance(self, batch: Any, found: Layout, faults: Faults) -> np.ndarray:
        """(rows,) weights."""
        if found.importance is None:
            return np.ones(batch.num_rows)
        column = batch.column(found.importance)
        weights = columns.numbers(column).astype(np.float64)
        if (there := columns.present(column)) is not None:
            weights[~there] = 1.0
        with np.errstate(invalid="ignore"):
            wrong = ~(np.isfinite(weights) & (weights > 0))
        for row in np.flatnonzero(wrong).tolist():
            why = importance_fault(self._fields.importance, float(weights[row]))
            faults.setdefault(row, why or "")
        return weights

    def _entries(self, batch: Any, found: Layout, faults: Faults) -> Entries:
        parts = []
        if found.scalars:
            chosen = [batch.column(place) for place, _, _ in found.scalars]
            names = [name for _, name, _ in found.scalars]
            texts = [text for _, _, text in found.scalars]
            parts.append(columns.scalar_entries(chosen, names, texts, self._names))
        for place, name in found.vectors:
            parts.append(columns.vector_entries(batch.column(place), name, self._names))
        for place, name, said in found.arrays:
            read, wrong = array_entries(batch.column(place), name, said, self._names)
            parts.append(read)
            for row, why in wrong.items():
                faults.setdefault(row, f"{batch.schema.names[place]!r} has {why}")
        if found.sparse is not None:
            parts.append(self._sparse(batch, found.sparse, faults))
        if not parts:
            none = np.empty(0, np.int64), np.empty(0), np.empty(0, np.bool_)
            return Entries(np.zeros(batch.num_rows + 1, np.int64), *none)
        entries = columns.joined(parts)
        finite = np.isfinite(entries.values)
        if not finite.all():
            at = np.flatnonzero(~finite)
            rows = np.searchsorted(entries.indptr, at, "right") - 1
            for row, i in zip(rows.tolist(), at.tolist(), strict=True):
                name = self._names.by_key[int(entries.keys[i])]
                value = float(entries.values[i])
                why = f"feature {shown(name)} is {value!r}; give a finite number, or null"
                faults.setdefault(row, why)
        return entries

    def _sparse(self, batch: Any, places: tuple[int, int], faults: Faults) -> Entries:
        """Features named by a number; rows at fault have none."""
        named, valued = (columns.lists(batch.column(place)) for place in places)
        numbers, there = columns.numbers(named.items), columns.present(named.items)
        odd = np.diff(named.indptr) != np.diff(valued.indptr)
        with np.errstate(invalid="ignore"):
            negative = ~((numbers >= 0) & (numbers <= np.iinfo(np.int64).max))
        if there is not None:
            negative |= ~there
        if not odd.any() and not negative.any():
            keys = self.indices.keys(numbers.astype(np.int64))
            return columns.without_absent(named.indptr, keys, valued.items)
        names = self._fields.indices, self._fields.values
        rows = np.repeat(np.arange(batch.num_rows), np.diff(named.indptr))
        spoilt = odd.copy()
        spoilt[rows[negative]] = True
        for row in np.flatnonzero(spoilt).tolist():
            why = (
                f"{names[0]!r} and {names[1]!r} differ in length"
                if odd[row]
                else f"{names[0]!r} has null or a number below 0"
            )
            faults.setdefault(row, why)
        lengths = np.where(spoilt, 0, np.diff(named.indptr))
        indptr = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
        keys = self.indices.keys(numbers[~spoilt[rows]].astype(np.int64))
        kept = np.repeat(~spoilt, np.diff(valued.indptr))
        return columns.without_absent(indptr, keys, valued.items.filter(pa.array(kept)))
