"""What a message says of an array that it holds as raw bytes: images, mostly.

The bytes are in row-major order, little endian; ``dtype`` and ``shape`` stand beside them.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from flink_ol.core.wording import shown

KINDS = {
    name: np.dtype(name).newbyteorder("<")
    for name in (
        *("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"),
        *("float16", "float32", "float64"),
    )
}
_MOST_DIMENSIONS = 32
_MOST_ITEMS = 1 << 20  # a record of JSON has at most as many bytes


class RawArray(NamedTuple):
    """An array's type and shape."""

    kind: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def items(self) -> int:
        return math.prod(self.shape)

    @property
    def size(self) -> int:
        """Bytes."""
        return self.items * self.kind.itemsize

    def __str__(self) -> str:
        return f"shape {'x'.join(map(str, self.shape))} of {self.kind.name} has {self.size} bytes"


def raw_array(dtype: Any, shape: Any) -> RawArray:
    """The array of ``dtype`` and ``shape`` as a message gives them; ValueError if it cannot be."""
    kind = KINDS.get(dtype) if isinstance(dtype, str) else None
    if kind is None:
        raise ValueError(f"dtype is {shown(dtype)}; give one of {', '.join(KINDS)}")
    if not isinstance(shape, list) or not all(type(n) is int and n > 0 for n in shape):
        raise ValueError(f"shape is {shown(shape)}; give a list of whole numbers above 0")
    if len(shape) > _MOST_DIMENSIONS:
        raise ValueError(f"shape is {shown(shape)}, at most {_MOST_DIMENSIONS} are read")
    found = RawArray(kind, tuple(shape))
    if found.items > _MOST_ITEMS:
        raise ValueError(f"shape {shown(shape)} has more than {_MOST_ITEMS} items")
    return found
