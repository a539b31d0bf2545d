"""Decimal numbers to the nearest float64, right to the last bit, without leaving compiled code.

Up to 2^53 times or through a power of ten up to 22 it takes one rounding (Clinger 1990, "How to
read floating point numbers accurately"). Others are multiplied by the first 64, and if those do not
decide 128, bits of the power of ten (Eisel and Lemire: Lemire 2021, "Number parsing at a gigabyte
per second"); the few that lie too close to the middle between two numbers are not given.
"""

from __future__ import annotations

import math

import numpy as np

from flink_ol.core.compiled import njit

LARGEST = 10**18  # mantissas below it are taken

_EXACT_MANTISSA, _EXACT_POWER = 1 << 53, 22
_POWERS = 10.0 ** np.arange(_EXACT_POWER + 1)  # all exact
_LEAST, _MOST = -342, 308  # exponents that can give a number neither 0 nor infinite

_ONE, _LOW, _HALF = np.uint64(1), np.uint64(0xFFFFFFFF), np.uint64(32)
_GUARD = np.uint64(0x1FF)  # the bits behind those of the result, and the one that rounds


def _leading_bits(exponent: int) -> tuple[int, int]:
    """The first 128 bits of 10^exponent, cut off, the first of them 1: high and low half."""
    if exponent >= 0:
        power = 10**exponent
        shift = power.bit_length() - 128
        bits = power >> shift if shift > 0 else power << -shift
    else:
        power = 10**-exponent
        bits = (1 << (power.bit_length() + 127)) // power
        bits >>= bits.bit_length() - 128
    return bits >> 64, bits & 0xFFFFFFFFFFFFFFFF


_BITS = np.array([_leading_bits(exponent) for exponent in range(_LEAST, _MOST + 1)], np.uint64)


@njit
def _product(a: np.uint64, b: np.uint64) -> tuple[np.uint64, np.uint64]:
    """High and low half of the 128 bits of ``a * b``."""
    a_high, a_low, b_high, b_low = a >> _HALF, a & _LOW, b >> _HALF, b & _LOW
    low, left, right = a_low * b_low, a_high * b_low, a_low * b_high
    middle = (low >> _HALF) + (left & _LOW) + (right & _LOW)
    high = a_high * b_high + (left >> _HALF) + (right >> _HALF) + (middle >> _HALF)
    return high, (middle << _HALF) | (low & _LOW)


@njit
def _zeros_before(word: np.uint64) -> int:
    """Bits before the first 1 of ``word``, which is not 0."""
    count = 0
    for step in (32, 16, 8, 4, 2, 1):
        if word >> np.uint64(64 - step) == np.uint64(0):
            word <<= np.uint64(step)
            count += step
    return count


@njit
def decimal(mantissa: int, exponent: int) -> tuple[bool, float]:
    """Whether ``mantissa * 10^exponent`` is given, and the float64 nearest to it.

    ``mantissa`` is at least 0 and below LARGEST.
    """
    if mantissa <= _EXACT_MANTISSA and exponent >= -_EXACT_POWER and exponent <= _EXACT_POWER:
        if exponent >= 0:
            return True, mantissa * _POWERS[exponent]
        return True, mantissa / _POWERS[-exponent]
    if mantissa == 0:
        return True, 0.0
    if exponent < _LEAST or exponent > _MOST:
        return False, 0.0
    zeros = _zeros_before(np.uint64(mantissa))
    word = np.uint64(mantissa) << np.uint64(zeros)
    high, low = _product(word, _BITS[exponent - _LEAST, 0])
    if high & _GUARD == _GUARD and low + word < low:  # what was cut off might carry over
        more, rest = _product(word, _BITS[exponent - _LEAST, 1])
        low += more
        if low < more:
            high += _ONE
        if high & _GUARD == _GUARD and low + _ONE == np.uint64(0) and rest + word < rest:
            return False, 0.0
    first = high >> np.uint64(63)
    bits = high >> (first + np.uint64(9))  # 54 of them: one to round by
    if low == np.uint64(0) and high & _GUARD == np.uint64(0) and bits & np.uint64(3) == _ONE:
        return False, 0.0  # in the middle, as far as is known
    # floor of the exponent's logarithm to the base of 2, and that of the leading bit
    scale = ((217706 * exponent) >> 16) + 64 - zeros - (1 - np.int64(first)) + 1023
    bits = (bits + (bits & _ONE)) >> _ONE
    if bits >> np.uint64(53) != np.uint64(0):
        bits >>= _ONE
        scale += 1
    if scale <= 0 or scale >= 2047:
        return False, 0.0
    return True, math.ldexp(np.float64(bits), scale - 1075)
