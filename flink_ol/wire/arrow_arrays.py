"""Columns of Arrow of arrays as raw bytes: read where they lie, all rows at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from pyarrow import types

from flink_ol.wire.arrow_columns import present
from flink_ol.wire.feature_rows import Entries
from flink_ol.wire.names import FeatureNames
from flink_ol.wire.raw_arrays import RawArray


def array_entries(
    column: Any, name: str, said: RawArray, known: FeatureNames
) -> tuple[Entries, dict[int, str]]:
    """The items by their places: "0", "1", or with a name "name[0]", "name[1]"; faults by row.

    Null is an array without items, and so is a row at fault: one of another number of bytes.
    """
    bounds, data = _bytes(column)
    lengths = np.diff(bounds)
    there = present(column)
    if there is None:
        there = np.ones(len(column), np.bool_)
    used = there & (lengths == said.size)
    rows = int(used.sum())
    kept = data[bounds[0] : bounds[-1]]
    if len(kept) != rows * said.size:
        kept = kept[np.repeat(used, lengths)]
    items = np.frombuffer(kept, said.kind).astype(np.float64)
    # names are made for items that are there, not for what the metadata claim
    keys = known.keys(known.numbered(said.items, name)) if rows else np.empty(0, np.int64)
    indptr = np.concatenate(([0], np.cumsum(used))).astype(np.int64) * said.items
    faults = {
        row: f"{lengths[row]} bytes; {said}" for row in np.flatnonzero(there & ~used).tolist()
    }
    return Entries(indptr, np.tile(keys, rows), items, np.ones(len(items), np.bool_)), faults


def _bytes(column: Any) -> tuple[np.ndarray, np.ndarray]:
    """Where each row begins and the last ends, (rows + 1,) int64; all bytes, uint8."""
    rows, buffers = len(column), column.buffers()
    data = np.frombuffer(buffers[-1] or b"", np.uint8)
    if types.is_fixed_size_binary(column.type):
        places = np.arange(column.offset, column.offset + rows + 1, dtype=np.int64)
        return places * column.type.byte_width, data
    kind = np.dtype("<i8" if types.is_large_binary(column.type) else "<i4")
    bounds = np.frombuffer(buffers[1], kind, rows + 1, column.offset * kind.itemsize)
    return bounds.astype(np.int64), data
