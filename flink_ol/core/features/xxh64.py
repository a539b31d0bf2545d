"""The 64-bit xxHash in compiled code: the same keys as hashing.feature_key, without Python.

Algorithm: the xxHash specification, section XXH64, with seed 0.
"""

from __future__ import annotations

import numpy as np

from flink_ol.core.compiled import njit

_P1 = np.uint64(0x9E3779B185EBCA87)
_P2 = np.uint64(0xC2B2AE3D27D4EB4F)
_P3 = np.uint64(0x165667B19E3779F9)
_P4 = np.uint64(0x85EBCA77C2B2AE63)
_P5 = np.uint64(0x27D4EB2F165667C5)
_ZERO = np.uint64(0)
_WIDTH = np.uint64(64)


@njit
def _rotated(word: np.uint64, by: int) -> np.uint64:
    return (word << np.uint64(by)) | (word >> (_WIDTH - np.uint64(by)))


@njit
def _read(data: np.ndarray, at: int, count: int) -> np.uint64:
    """``count`` bytes from ``at``, little endian."""
    word = _ZERO
    for i in range(count):
        word |= np.uint64(data[at + i]) << np.uint64(8 * i)
    return word


@njit
def _round(lane: np.uint64, word: np.uint64) -> np.uint64:
    return _rotated(lane + word * _P2, 31) * _P1


@njit
def _merged(total: np.uint64, lane: np.uint64) -> np.uint64:
    return (total ^ _round(_ZERO, lane)) * _P1 + _P4


@njit
def xxh64(data: np.ndarray, length: int) -> np.uint64:
    """The hash of the first ``length`` bytes of ``data``, (bytes,) uint8."""
    at = 0
    if length >= 32:
        a, b, c, d = _P1 + _P2, _P2, _ZERO, _ZERO - _P1
        while at + 32 <= length:
            a = _round(a, _read(data, at, 8))
            b = _round(b, _read(data, at + 8, 8))
            c = _round(c, _read(data, at + 16, 8))
            d = _round(d, _read(data, at + 24, 8))
            at += 32
        total = _rotated(a, 1) + _rotated(b, 7) + _rotated(c, 12) + _rotated(d, 18)
        total = _merged(_merged(_merged(_merged(total, a), b), c), d)
    else:
        total = _P5
    total += np.uint64(length)
    while at + 8 <= length:
        total = _rotated(total ^ _round(_ZERO, _read(data, at, 8)), 27) * _P1 + _P4
        at += 8
    if at + 4 <= length:
        total = _rotated(total ^ _read(data, at, 4) * _P1, 23) * _P2 + _P3
        at += 4
    while at < length:
        total = _rotated(total ^ np.uint64(data[at]) * _P5, 11) * _P1
        at += 1
    total = (total ^ (total >> np.uint64(33))) * _P2
    total = (total ^ (total >> np.uint64(29))) * _P3
    return total ^ (total >> np.uint64(32))


@njit
def write_number(number: int, into: np.ndarray) -> int:
    """Write ``str(number)``, from 0 on, to the begin of ``into``: how many bytes."""
    length, rest = 1, number
    while rest >= 10:
        rest //= 10
        length += 1
    for at in range(length - 1, -1, -1):
        into[at] = 48 + number % 10
        number //= 10
    return length


@njit
def number_keys(numbers: np.ndarray) -> np.ndarray:
    """The feature keys of the names ``str(number)``: (numbers,) int64 both, from 0 on."""
    name = np.empty(20, np.uint8)
    keys = np.empty(len(numbers), np.int64)
    for i in range(len(numbers)):
        keys[i] = np.int64(xxh64(name, write_number(numbers[i], name)))
    return keys
