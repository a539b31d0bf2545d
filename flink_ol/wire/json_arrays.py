"""Features of a JSON record as one array of raw bytes: images, mostly.

``{"base64": "...", "dtype": "uint8", "shape": [32, 32, 3]}`` in place of a list: the array's bytes
in row-major order, little endian, in base64 with padding. Its items are the features "0", "1", ...
as those of a list, and its size is compared with what the text can hold before memory is taken.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from flink_ol.core.wording import shown
from flink_ol.wire.feature_rows import Entries
from flink_ol.wire.names import FeatureNames

_KINDS = {
    name: np.dtype(name).newbyteorder("<")
    for name in (
        *("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"),
        *("float16", "float32", "float64"),
    )
}
_PARTS = {"base64", "dtype", "shape"}
_MOST_ITEMS = 1 << 20  # a record has at most as many bytes


def is_array(row: Any) -> bool:
    """Whether the features of a record are meant as an array."""
    return isinstance(row, dict) and row.keys() == _PARTS


def array_of(row: dict[str, Any]) -> np.ndarray:
    """The items, (items,) float64, finite; ValueError that says what is wrong."""
    text, kind, shape = row["base64"], _KINDS.get(str(row["dtype"])), row["shape"]
    if kind is None:
        raise ValueError(f"dtype is {shown(row['dtype'])}; give one of {', '.join(_KINDS)}")
    if not isinstance(shape, list) or not all(type(n) is int and n > 0 for n in shape):
        raise ValueError(f"shape is {shown(shape)}; give a list of whole numbers above 0")
    if not isinstance(text, str):
        raise ValueError(f"base64 is {shown(text)}; give a text")
    count = math.prod(shape)
    size = count * kind.itemsize
    if count > _MOST_ITEMS or len(text) != (size + 2) // 3 * 4:
        raise ValueError(
            f"base64 has {len(text)} characters; shape {shown(shape)} of {kind.name} has {size} "
            f"bytes, which are {(size + 2) // 3 * 4}"
        )
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"base64 is damaged: {str(error)[:100]}") from None
    if len(data) != size:
        raise ValueError(f"base64 has {len(data)} bytes, shape and dtype say {size}")
    values = np.frombuffer(data, kind).astype(np.float64)
    if not np.isfinite(values).all():
        place = int(np.flatnonzero(~np.isfinite(values))[0])
        raise ValueError(f"item {place} is {float(values[place])!r}; give finite numbers")
    return values


def array_entries(rows: Sequence[dict[str, Any]], names: FeatureNames) -> Entries:
    """The entries of rows that are all arrays; ValueError if one cannot be used."""
    values = [array_of(row) for row in rows]
    keys = [names.keys(names.numbered(len(one))) for one in values]
    indptr = np.concatenate(([0], np.cumsum(list(map(len, values))))).astype(np.int64)
    joined = np.concatenate(values)
    return Entries(indptr, np.concatenate(keys), joined, np.ones(len(joined), np.bool_))


def encoded_array(values: np.ndarray) -> dict[str, Any]:
    """``values`` of any shape as array_of reads it."""
    if values.dtype.name not in _KINDS:
        values = values.astype(np.float64)
    plain = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    text = base64.b64encode(plain.tobytes()).decode()
    return {"base64": text, "dtype": values.dtype.name, "shape": list(values.shape)}
