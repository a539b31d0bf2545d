"""Where the numbers of a plain Arrow message lie, remembered by the bytes of its metadata.

Layout of a record batch (https://arrow.apache.org/docs/format/Columnar.html): the table has the
number of rows, a vector of nodes (length, nulls), a vector of buffers (start, length), compression
and variadic counts. Buffers of a column: numbers and bytes of a fixed size have validity and data;
lists of a fixed size validity, and those of their items; other lists validity, bounds, and those of
their items.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import types

from flink_ol.wire import arrow_stream as stream
from flink_ol.wire.arrow_layout import Layout, layout, number
from flink_ol.wire.raw_arrays import RawArray

_MOST_SCHEMAS, _MOST_BATCHES = 100, 1000  # remembered
_PAIR = struct.Struct("<qq")


class Numbers(NamedTuple):
    """A buffer of numbers."""

    start: int  # in the body
    kind: Any  # numpy's type
    count: int  # type: ignore[assignment]  # hides the method of tuples


class Plan(NamedTuple):
    """Where the numbers of one record batch are."""

    schema: bytes
    rows: int
    body: int  # bytes
    entries: int
    label: Numbers
    importance: Numbers | None
    names: tuple[str, ...]  # of the dense columns of numbers, which come first
    lists: tuple[tuple[str, int], ...]  # names and sizes of dense columns of lists and bytes
    dense: tuple[Numbers, ...]
    sparse: tuple[Numbers, ...] | None  # bounds and items of indices, then of values


class _Schema(NamedTuple):
    fields: Any  # of pyarrow
    layout: Layout
    plans: dict[bytes, Plan | None]  # by the metadata of the batch


class Plans:
    """The plans of the messages met lately."""

    def __init__(self, fields: Any) -> None:
        self._fields = fields
        self._schemas: dict[bytes, _Schema | None] = {}

    def find(self, payload: bytes) -> tuple[Plan, int] | None:
        """The plan and where the body begins; None, ValueError or struct.error if not plain."""
        schema, at = _metadata(payload, 0)
        if schema not in self._schemas:
            read = self._schema(payload, schema)
            if len(self._schemas) >= _MOST_SCHEMAS:
                self._schemas.clear()
            self._schemas[schema] = read
        known = self._schemas[schema]
        if known is None:
            return None
        metadata, at = _metadata(payload, at)
        if metadata not in known.plans:
            stream.checked(payload)
            made = _plan(schema, known, metadata)
            if len(known.plans) >= _MOST_BATCHES:
                known.plans.clear()
            known.plans[metadata] = made
        plan = known.plans[metadata]
        if plan is None or payload[at + plan.body :] != stream.END:
            return None
        return plan, at

    def _schema(self, payload: bytes, schema: bytes) -> _Schema | None:
        """None if its columns are not all plain."""
        stream.checked(payload)
        try:
            fields = pa.ipc.read_schema(pa.py_buffer(payload))
        except (pa.ArrowException, OSError):
            return None
        found = layout(fields, self._fields)
        plain = all(
            number(kind)
            or (types.is_fixed_size_list(kind) and kind.list_size > 0 and number(kind.value_type))
            or types.is_fixed_size_binary(kind)
            or (found.sparse and _varies(kind) and i in found.sparse and number(kind.value_type))
            for i, kind in enumerate(fields.types)
        )
        if not plain or found.label is None or stream.message(schema)[2]:
            return None
        if found.sparse and (found.scalars or found.vectors or found.arrays):
            return None
        if found.sparse and not all(_varies(fields.types[i]) for i in found.sparse):
            return None
        if not (found.sparse or found.scalars or found.vectors or found.arrays):
            return None
        return _Schema(fields, found, {})


def _varies(kind: Any) -> bool:
    return types.is_list(kind) or types.is_large_list(kind)


def _metadata(payload: bytes, at: int) -> tuple[bytes, int]:
    """The metadata at ``at``, and where they end."""
    mark, length = stream.PREFIX.unpack_from(payload, at)
    at += stream.PREFIX.size
    if mark != stream.CONTINUED or length <= 0:
        raise ValueError("no message")
    return payload[at : at + length], at + length


def _plan(schema: bytes, known: _Schema, metadata: bytes) -> Plan | None:
    kind, batch, body = stream.message(metadata)
    if kind != stream.RECORDS or stream.field(metadata, batch, 3) or not body:
        return None
    rows = stream.row_count(metadata, batch)
    nodes = iter(_pairs(metadata, batch, 1))
    buffers = iter(_pairs(metadata, batch, 2))
    found = known.layout
    said = {place: array for place, _, array in found.arrays}
    try:
        columns = [
            _column(of, said.get(i), rows, nodes, buffers)
            for i, of in enumerate(known.fields.types)
        ]
    except StopIteration:
        return None
    if rows <= 0 or any(column is None for column in columns):
        return None
    lists = [(place, name, known.fields.types[place].list_size) for place, name in found.vectors]
    lists += [(place, name, array.items) for place, name, array in found.arrays]
    chosen = [place for place, _, _ in (*found.scalars, *lists)]
    parts: Sequence[Any] = columns
    dense = tuple(parts[place][-1] for place in chosen)
    sparse = tuple(part for place in found.sparse or () for part in parts[place])
    return Plan(
        schema,
        rows,
        body,
        sum(part.count for part in dense + sparse),
        parts[found.label or 0][-1],
        None if found.importance is None else parts[found.importance][-1],
        tuple(name for _, name, _ in found.scalars),
        tuple((name, size) for _, name, size in lists),
        dense,
        sparse or None,
    )


def _column(
    of: Any,
    said: RawArray | None,
    rows: int,
    nodes: Iterator[tuple[int, int]],
    buffers: Iterator[tuple[int, int]],
) -> tuple[Numbers, ...] | None:
    """The buffers of a column's numbers, for lists that vary their bounds first."""
    count, nulls = next(nodes)
    next(buffers)  # validity: nothing is null
    if nulls or count != rows:
        return None
    if said is not None:
        return _numbers(next(buffers), said.kind, rows * said.items)
    if number(of):
        return _numbers(next(buffers), _kind(of), rows)
    bounds: tuple[Numbers, ...] | None = ()
    if _varies(of):
        wide = types.is_large_list(of)
        bounds = _numbers(next(buffers), np.dtype(np.int64 if wide else np.int32), rows + 1)
    count, nulls = next(nodes)
    next(buffers)
    size = rows * of.list_size if types.is_fixed_size_list(of) else count
    if nulls or count != size or count <= 0:
        return None
    items = _numbers(next(buffers), _kind(of.value_type), count)
    return None if bounds is None or items is None else bounds + items


def _kind(of: Any) -> np.dtype[Any]:
    return np.dtype(of.to_pandas_dtype())


def _numbers(buffer: tuple[int, int], kind: np.dtype[Any], count: int) -> tuple[Numbers] | None:
    start, length = buffer
    return (Numbers(start, kind, count),) if length >= count * kind.itemsize else None


def _pairs(metadata: bytes, table: int, index: int) -> list[tuple[int, int]]:
    """A vector of pairs of int64 in a table."""
    place = stream.field(metadata, table, index)
    if not place:
        return []
    (offset,) = struct.unpack_from("<I", metadata, place)
    (count,) = struct.unpack_from("<I", metadata, place + offset)
    first = place + offset + 4
    return list(_PAIR.iter_unpack(metadata[first : first + count * _PAIR.size]))
