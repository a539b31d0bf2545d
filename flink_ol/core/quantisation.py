"""Numbers in one or two bytes: integers, or half precision, times a power of two for each block.

A block is so many neighbouring rows that they hold about 256 numbers, and its factor brings the
largest of them just below the end of the range. Powers of two multiply without rounding, so what
was rounded once is coded again without loss, and nothing overflows however large it is.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

Numbers = Literal["float16", "int8"]

_BLOCK = 256  # numbers
_LEAST_EXPONENT = -900  # smaller numbers are zero: their factors would be no normal float64
# bits before the point of the largest number, and the largest one of so many
_BITS = {"float16": 15, "int8": 7}
_LARGEST = {"float16": 32_752.0, "int8": 127.0}


class Codes(NamedTuple):
    """Rows as they are written."""

    codes: np.ndarray  # (rows, width) float16 or int8
    exponents: np.ndarray  # (blocks,) int16: a number is its code times 2 to this


def coded(numbers: Numbers, rows: np.ndarray) -> Codes:
    """``rows`` (rows, width), finite, in the nearest codes, ties to even."""
    starts = np.arange(0, len(rows), _rows_of_block(rows.shape[1]))
    if not rows.size:
        return Codes(np.empty(rows.shape, numbers), np.zeros(len(starts), np.int16))
    values = rows.astype(np.float64)
    largest = np.maximum.reduceat(np.abs(values).max(axis=1), starts)
    exponents = np.maximum(np.frexp(largest)[1], _LEAST_EXPONENT) - _BITS[numbers]
    scaled = np.ldexp(values, -_of_rows(exponents, *rows.shape))
    if numbers == "int8":
        np.rint(scaled, out=scaled)
    most = _LARGEST[numbers]
    codes = np.clip(scaled, -most, most).astype(numbers)
    return Codes(codes, exponents.astype(np.int16))


def decoded(codes: np.ndarray, exponents: np.ndarray) -> np.ndarray:
    """The numbers of :func:`coded`: (rows, width) float64. ValueError where the two do not fit."""
    blocks = -(-len(codes) // _rows_of_block(codes.shape[1]))
    if exponents.shape != (blocks,):
        raise ValueError(f"{exponents.shape} factors, {blocks} blocks of numbers")
    factors = _of_rows(exponents.astype(np.int32), *codes.shape)
    return np.ldexp(codes.astype(np.float64), factors) + 0.0  # no negative zeros


def rounded(numbers: Numbers, array: np.ndarray) -> np.ndarray:
    """``array`` (rows, ...), finite, with every number as its code says it; the same dtype."""
    rows = as_rows(array)
    return decoded(*coded(numbers, rows)).reshape(array.shape).astype(array.dtype)


def as_rows(array: np.ndarray) -> np.ndarray:
    """``array`` as (rows, width), one row for each index of the first axis."""
    return array.reshape(len(array), int(np.prod(array.shape[1:], dtype=np.int64)))


def _rows_of_block(width: int) -> int:
    return max(1, _BLOCK // max(width, 1))


def _of_rows(exponents: np.ndarray, rows: int, width: int) -> np.ndarray:
    """(rows, 1): each row's exponent."""
    return np.repeat(exponents, _rows_of_block(width))[:rows, None]
