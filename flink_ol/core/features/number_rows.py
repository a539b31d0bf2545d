"""Records that differ in nothing but their numbers: compared and read in one pass, compiled.

Places in the text are unsigned here: for signed ones numba asks at every byte whether they count
from the end.
"""

from __future__ import annotations

import numpy as np

from flink_ol.core.compiled import njit
from flink_ol.core.features.decimals import decimal
from flink_ol.core.features.sparse_text import READ, UNREADABLE, number

_MINUS, _POINT, _ZERO, _NINE, _E, _SMALL_E = 45, 46, 48, 57, 69, 101
_FEW_DIGITS, _MOST_DIGITS = 15, 18  # below 2^53, and below LARGEST, whatever they are
_POWERS = 10.0 ** np.arange(_FEW_DIGITS + 1)


@njit
def _digit(text: np.ndarray, at: int, end: int) -> bool:
    return at < end and text[at] >= _ZERO and text[at] <= _NINE


@njit
def _any_number(text: np.ndarray, at: int, end: int) -> tuple[int, float, int]:
    """What :func:`json_number` says, of any number."""
    first = at + 1 if at < end and text[at] == _MINUS else at
    if not _digit(text, first, end) or (text[first] == _ZERO and _digit(text, first + 1, end)):
        return UNREADABLE, 0.0, at
    code, value, stop = number(text, at, end)
    for i in range(first, stop - 1):
        if text[i] == _POINT and not _digit(text, i + 1, end):
            return UNREADABLE, 0.0, at
    return (code if _digit(text, stop - 1, end) else UNREADABLE), value, stop


@njit(inline="always")
def _digits(text: np.ndarray, at: int, end: int, mantissa: int) -> tuple[int, int]:
    """``mantissa`` with the digits at ``at`` after its own, and where they end."""
    while at < end:
        digit = np.uint8(text[at] - np.uint8(_ZERO))
        if digit > 9:
            break
        mantissa = mantissa * 10 + np.int64(digit)  # type: ignore[assignment]
        at += np.uint64(1)
    return mantissa, at


@njit(inline="always")
def _short_number(text: np.ndarray, begin: int, end: int) -> tuple[bool, float, int]:
    """The same of the most frequent kind: up to 18 digits and no exponent. False: look closer."""
    at = begin
    negative = at < end and text[at] == _MINUS
    if negative:
        at += np.uint64(1)
    first = at
    mantissa, at = _digits(text, at, end, np.int64(0))
    whole, behind = at - first, np.uint64(0)
    if at < end and text[at] == _POINT:
        point = at
        mantissa, at = _digits(text, point + np.uint64(1), end, mantissa)
        behind = at - point - np.uint64(1)
        if behind == 0:
            return False, 0.0, begin
    if whole == 0 or whole + behind > _MOST_DIGITS or (whole > 1 and text[first] == _ZERO):
        return False, 0.0, begin
    if at < end and (text[at] == _E or text[at] == _SMALL_E):
        return False, 0.0, begin
    fits = True
    if whole + behind <= _FEW_DIGITS:
        value = mantissa / _POWERS[behind]
    else:
        fits, value = decimal(mantissa, -np.int64(behind))
    return fits, -value if negative else value, at


@njit
def json_number(text: np.ndarray, at: int, end: int) -> tuple[int, float, int]:
    """READ, value and end of the JSON number at ``at``, which is right to the last bit.

    INEXACT where that takes another reader, UNREADABLE where there is none.
    """
    fits, value, stop = _short_number(text, np.uint64(at), np.uint64(end))
    if fits:
        return READ, value, np.int64(stop)  # type: ignore[return-value]
    return _any_number(text, at, end)


@njit
def read_rows(
    text: np.ndarray,
    ends: np.ndarray,
    literal: np.ndarray,
    literal_ends: np.ndarray,
    values: np.ndarray,
) -> int:
    """How many records from the first on fit, their numbers in ``values`` (records, numbers).

    ``text`` holds all records, ``ends`` (records,) where each ends. A record that fits is the
    pieces of ``literal``, whose ends are ``literal_ends`` (numbers + 1,), with a JSON number
    between each two.
    """
    at = np.uint64(0)
    for row in range(len(ends)):
        end = np.uint64(ends[row])
        begin = np.uint64(0)
        for piece in range(len(literal_ends)):
            length = np.uint64(literal_ends[piece]) - begin
            if at + length > end:
                return row
            same = True
            for i in range(length):
                same &= text[at + np.uint64(i)] == literal[begin + np.uint64(i)]
            if not same:
                return row
            at += length
            begin += length
            if piece < values.shape[1]:
                fits, value, stop = _short_number(text, at, end)
                if not fits:
                    code, value, place = _any_number(text, np.int64(at), np.int64(end))
                    fits, stop = code == READ, np.uint64(place)
                if not fits:
                    return row
                values[row, piece] = value
                at = stop
        if at != end:
            return row
    return len(ends)
