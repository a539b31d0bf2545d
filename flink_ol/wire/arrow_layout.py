"""What the columns of an Arrow schema are to a sample, or why they cannot be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson
import pyarrow as pa
from pyarrow import types

from flink_ol.core.wording import shown
from flink_ol.wire.raw_arrays import RawArray, raw_array

_MOST_COLUMNS = 20_000
_GIVE = "give numbers, truth values, texts, dictionaries of texts, lists of numbers or raw arrays"
_DECLARE = 'give the column the metadata dtype and shape, as "uint8" and "[32, 32, 3]"'


class Layout(NamedTuple):
    """The places of a schema's columns by their use."""

    label: int | None
    importance: int | None
    id: int | None
    scalars: Sequence[tuple[int, str, bool]]  # place, name, whether categorical
    vectors: Sequence[tuple[int, str]]  # place, name: "" for the features themselves
    arrays: Sequence[tuple[int, str, RawArray]]  # place, name as of vectors
    sparse: tuple[int, int] | None  # indices, values


def layout(schema: Any, fields: Any) -> Layout:
    """The layout by the settings ``fields``; ValueError where there is none."""
    if len(schema) > _MOST_COLUMNS:
        raise ValueError(f"{len(schema)} columns, at most {_MOST_COLUMNS} are read")
    place: dict[str, int] = {}
    for i, name in enumerate(schema.names):
        if name in place:
            raise ValueError(f"column {shown(name)} stands twice")
        place[name] = i
    kinds = schema.types
    for part in ("label", "importance"):
        i = place.get(getattr(fields, part), -1)
        if i >= 0 and not (
            types.is_null(kinds[i])
            or number(kinds[i])
            or (part == "label" and (text(kinds[i]) or _truth(kinds[i])))
        ):
            raise ValueError(f"samples.fields.{part}: {schema.names[i]!r} is {_shown(kinds[i])}")
    for part in ("id", "time"):
        i = place.get(getattr(fields, part), -1)
        if i >= 0 and not (
            text(kinds[i]) or types.is_primitive(kinds[i]) or types.is_null(kinds[i])
        ):
            raise ValueError(f"samples.fields.{part}: {schema.names[i]!r} is {_shown(kinds[i])}")
    pair = [place.get(name) for name in (fields.indices, fields.values)]
    sparse = None
    parts = {fields.label, fields.importance, fields.id, fields.time}
    if pair[0] is not None and pair[1] is not None:
        first, second = pair[0], pair[1]
        if not (vector(kinds[first]) and types.is_integer(kinds[first].value_type)):
            raise ValueError(
                f"{fields.indices!r} is {_shown(kinds[first])}; give lists of integers"
            )
        if not vector(kinds[second]):
            raise ValueError(f"{fields.values!r} is {_shown(kinds[second])}; give lists of numbers")
        sparse = first, second
        parts |= {fields.indices, fields.values}
    scalars, vectors, arrays = [], [], []
    for name, i in place.items():
        if name in parts or types.is_null(kinds[i]):
            continue
        if vector(kinds[i]):
            vectors.append((i, "" if name == fields.features else name))
        elif binary(kinds[i]) or types.is_fixed_size_binary(kinds[i]):
            arrays.append((i, "" if name == fields.features else name, _array(schema.field(i))))
        elif number(kinds[i]) or text(kinds[i]) or _truth(kinds[i]):
            scalars.append((i, name, not number(kinds[i])))
        else:
            raise ValueError(f"column {shown(name)} is {_shown(kinds[i])}; {_GIVE}")
    return Layout(
        place.get(fields.label),
        place.get(fields.importance),
        place.get(fields.id),
        scalars,
        vectors,
        arrays,
        sparse,
    )


def _shown(kind: Any) -> str:
    return f"of type {str(kind)[:60]}"


def number(kind: Any) -> bool:
    """Whether a column is of plain numbers."""
    return types.is_integer(kind) or types.is_floating(kind)


def text(kind: Any) -> bool:
    """Whether a column is of texts, or of dictionaries of texts."""
    if types.is_dictionary(kind):
        kind = kind.value_type
    return types.is_string(kind) or types.is_large_string(kind)


def _truth(kind: Any) -> bool:
    return types.is_boolean(kind)


def vector(kind: Any) -> bool:
    """Whether a column is of lists of numbers."""
    listed = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    return listed and number(kind.value_type)


def binary(kind: Any) -> bool:
    """Whether a column is of bytes, as many in each row as it likes."""
    return types.is_binary(kind) or types.is_large_binary(kind)


def _array(field: Any) -> RawArray:
    """What the column's metadata say that its bytes are."""
    place, said = f"column {shown(field.name)} is {_shown(field.type)}", field.metadata or {}
    dtype, shape = said.get(b"dtype"), said.get(b"shape")
    if dtype is None or shape is None:
        raise ValueError(f"{place}; {_DECLARE}")
    try:
        found = raw_array(dtype.decode(errors="replace"), orjson.loads(shape))
    except orjson.JSONDecodeError:
        raise ValueError(
            f"{place}, its shape {shown(shape.decode('latin1'))}; {_DECLARE}"
        ) from None
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from None
    if not binary(field.type) and field.type.byte_width != found.size:
        raise ValueError(f"{place}; {found}")
    return found


def count(batch: pa.RecordBatch, found: Layout) -> int:
    """How many features the batch can have at most: an upper bound, before memory is taken."""
    entries = batch.num_rows * len(found.scalars)
    places = [place for place, _ in found.vectors]
    places += found.sparse[1:] if found.sparse else ()
    for place in places:
        column = batch.column(place)
        if types.is_fixed_size_list(column.type):
            entries += batch.num_rows * column.type.list_size
        else:
            entries += len(column.values)
    for place, _, said in found.arrays:
        column = batch.column(place)
        size = column.total_values_length if binary(column.type) else len(column) * said.size
        entries += size // said.kind.itemsize
    return entries
