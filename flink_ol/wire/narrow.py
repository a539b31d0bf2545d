"""Arrays of float64 or float32 in the fewest bytes that hold them exactly, where they were rounded.

An array NAME of n rows becomes ``codes/NAME``, its numbers as core.quantisation codes them (or as
they are), with ``exponents/NAME`` beside; rows of zeros are left out where that takes fewer bytes,
and ``rows/NAME`` then says which there are. The JSON beside has [numbers, dtype, shape] of each.
Whoever rounded an array said by which code; where a code does not hold it exactly, it stays as it
is. Feature keys of less than 32 bits take 4 bytes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from flink_ol.core.lossy import WHOLE
from flink_ol.core.quantisation import Numbers, as_rows, coded, decoded

_MOST_NUMBERS = 1 << 28  # a few bytes can claim any shape: checked before memory is taken
_NUMBERS: dict[str, Numbers] = {"float16": "float16", "int8": "int8"}

Told = dict[str, list[Any]]


def narrowed(
    codes: Mapping[str, str], arrays: Mapping[str, np.ndarray]
) -> tuple[Told, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """What the JSON says of arrays with a code; their tensors; the arrays that stay as they are."""
    told: Told = {}
    tensors: dict[str, np.ndarray] = {}
    others = dict(arrays)
    for name in sorted(codes.keys() & arrays.keys()):
        array = arrays[name]
        found = _tensors(codes[name], array)
        if found is None:
            continue
        told[name] = [codes[name], array.dtype.name, list(array.shape)]
        tensors |= {f"{group}/{name}": tensor for group, tensor in found.items()}
        del others[name]
    return told, tensors, others


def _tensors(code: str, array: np.ndarray) -> dict[str, np.ndarray] | None:
    """The groups of one array; None where they do not hold it exactly."""
    if not array.ndim or array.dtype.name not in ("float64", "float32"):
        return None
    values, exponents = as_rows(array), None
    codes = values
    if code in _NUMBERS:
        if not np.isfinite(values).all():
            return None
        codes, exponents = coded(_NUMBERS[code], values)
        if not np.array_equal(decoded(codes, exponents).astype(array.dtype), values):
            return None
    tensors = {"codes": codes}
    rows = np.flatnonzero(values.any(axis=1)).astype(np.uint32)
    if rows.nbytes + len(rows) * codes[:1].nbytes < codes.nbytes:
        tensors = {"codes": codes[rows], "rows": rows}
    return tensors if exponents is None else {**tensors, "exponents": exponents}


def widened(told: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of :func:`narrowed`. Raises KeyError, TypeError or ValueError if damaged."""
    wide = {}
    for name, (code, dtype, shape) in told.items():
        if dtype not in ("float64", "float32"):
            raise ValueError(f"{name} of {dtype}: not what is narrowed")
        if not shape or min(shape) < 0 or math.prod(shape) > _MOST_NUMBERS:
            raise ValueError(f"{name} of shape {shape}: at most {_MOST_NUMBERS} numbers are read")
        width = math.prod(shape[1:])
        codes = arrays[f"codes/{name}"]
        if (rows := arrays.get(f"rows/{name}")) is not None:
            some, codes = codes, np.zeros((shape[0], width), codes.dtype)
            codes[rows] = some
        if codes.shape != (shape[0], width):
            raise ValueError(f"{name} of shape {shape} in codes of shape {codes.shape}")
        if code != WHOLE:
            codes = decoded(codes, arrays[f"exponents/{name}"])
        wide[name] = codes.astype(dtype).reshape(shape)
    return wide


def narrow_keys(keys: np.ndarray) -> np.ndarray:
    """Feature keys (features,) int64, as uint32 where they all are."""
    small = len(keys) == 0 or (keys.min() >= 0 and keys.max() < 1 << 32)
    return keys.astype(np.uint32) if small else keys


def wide_keys(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """``arrays`` with their ``keys`` as int64. Raises KeyError."""
    keys = arrays["keys"]
    return {**arrays, "keys": keys.astype(np.int64) if keys.dtype == np.uint32 else keys}
