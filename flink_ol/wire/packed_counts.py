"""Arrays of counts in few bytes: most counts of one batch are small, and many are zero.

A packed array is the counts as one row of the narrowest unsigned integers that hold them; or,
where that takes fewer bytes, two rows: the places that are not zero, and their counts. Its shape
stands in the JSON beside. Only arrays of int64 without a negative number are packed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

_MOST_CELLS = 1 << 26  # a few bytes can claim any shape: checked before memory is taken

Shapes = dict[str, list[int]]


def pack_counts(arrays: Mapping[str, np.ndarray]) -> tuple[Shapes, dict[str, np.ndarray]]:
    """The shapes of the arrays that are counts, and all arrays, the counts packed."""
    shapes: Shapes = {}
    packed = dict(arrays)
    for name, array in arrays.items():
        if array.dtype == np.int64 and array.ndim and array.size and array.min() >= 0:
            shapes[name] = list(array.shape)
            packed[name] = _packed(array.ravel())
    return shapes, packed


def unpack_counts(shapes: Any, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The inverse of :func:`pack_counts`. Raises KeyError, TypeError or ValueError if damaged."""
    unpacked = dict(arrays)
    for name, shape in shapes.items():
        cells = math.prod(shape)
        if not 0 < cells <= _MOST_CELLS or min(shape) < 1:
            raise ValueError(f"counts of shape {shape}: at most {_MOST_CELLS} are read")
        packed = arrays[name].astype(np.int64)
        if packed.ndim == 2:
            places, counts = packed
            if len(places) and not 0 <= places.min() <= places.max() < cells:
                raise ValueError(f"counts of shape {shape} have a place outside")
            packed = np.zeros(cells, np.int64)
            packed[places] = counts
        unpacked[name] = packed.reshape(shape)
    return unpacked


def _packed(flat: np.ndarray) -> np.ndarray:
    places = np.flatnonzero(flat)
    largest = int(flat.max())
    dense, sparse = _narrowest(largest), _narrowest(max(largest, len(flat) - 1))
    if 2 * len(places) * sparse.itemsize < len(flat) * dense.itemsize:
        return np.stack([places, flat[places]]).astype(sparse)
    return flat.astype(dense)


def _narrowest(largest: int) -> np.dtype:
    for kind in (np.uint8, np.uint16, np.uint32):
        if largest <= np.iinfo(kind).max:
            return np.dtype(kind)
    return np.dtype(np.int64)
