"""Features of a JSON record as one array of raw bytes: images, mostly.

``{"base64": "...", "dtype": "uint8", "shape": [32, 32, 3]}`` in place of a list: the array's bytes
in row-major order, little endian, in base64 with padding. Its items are the features "0", "1", ...
as those of a list, and its size is compared with what the text can hold before memory is taken.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

import numpy as np

from flink_ol.core.wording import shown
from flink_ol.wire.feature_rows import Entries
from flink_ol.wire.names import FeatureNames
from flink_ol.wire.raw_arrays import KINDS, raw_array

_PARTS = {"base64", "dtype", "shape"}


def is_array(row: Any) -> bool:
    """Whether the features of a record are meant as an array."""
    return isinstance(row, dict) and row.keys() == _PARTS


def array_of(row: dict[str, Any]) -> np.ndarray:
    """The items, (items,) float64, finite; ValueError that says what is wrong."""
    text, said = row["base64"], raw_array(row["dtype"], row["shape"])
    if not isinstance(text, str):
        raise ValueError(f"base64 is {shown(text)}; give a text")
    if len(text) != (said.size + 2) // 3 * 4:
        raise ValueError(
            f"base64 has {len(text)} characters; {said}, which are {(said.size + 2) // 3 * 4}"
        )
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"base64 is damaged: {str(error)[:100]}") from None
    if len(data) != said.size:
        raise ValueError(f"base64 has {len(data)} bytes, shape and dtype say {said.size}")
    values = np.frombuffer(data, said.kind).astype(np.float64)
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
    if values.dtype.name not in KINDS:
        values = values.astype(np.float64)
    plain = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    text = base64.b64encode(plain.tobytes()).decode()
    return {"base64": text, "dtype": values.dtype.name, "shape": list(values.shape)}
