"""Records of ``name:value`` words in compiled code: the text formats LIBSVM and VW by the batch.

It lives in the core because compiled code does, and because it is pure: bytes in, arrays out. What
it does not understand it does not judge: the row is marked, and the careful reader of the format,
which is plain Python, decides. So both must agree on the rows that are not marked, and no more.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from flink_ol.core.compiled import njit
from flink_ol.core.features.decimals import LARGEST, decimal
from flink_ol.core.features.xxh64 import xxh64

LIBSVM, VW = 0, 1

_TAB, _NEWLINE, _RETURN, _SPACE, _HASH, _CARET = 9, 10, 13, 32, 35, 94
_PLUS, _MINUS, _POINT, _ZERO, _NINE, _COLON, _BAR = 43, 45, 46, 48, 57, 58, 124
_E, _SMALL_E = 69, 101

READ, INEXACT, UNREADABLE = 0, 1, 2


class Scanned(NamedTuple):
    """What came of a batch. Positions are those of bytes in its text."""

    full: bool  # the table of known keys is too small: nothing else counts
    careful: np.ndarray  # (rows,) bool: left to the careful reader; such rows have no entries
    heads: np.ndarray  # (rows, 2) int64: begin and end of what stands before the features
    indptr: np.ndarray  # (rows + 1,) int64
    keys: np.ndarray  # (entries,) int64
    values: np.ndarray  # (entries,) float64
    numeric: np.ndarray  # (entries,) bool: False where the word had no value
    fresh: np.ndarray  # (names, 5) int64: a key unknown before; its namespace, its name
    inexact: np.ndarray  # (numbers, 3) int64: an entry to multiply by the number standing there


@njit
def _blank(byte: int) -> bool:
    return byte in (_SPACE, _TAB, _RETURN)


@njit
def number(text: np.ndarray, at: int, end: int) -> tuple[int, float, int]:
    """Code, value and end of the number at ``at``: right to the last bit, or not given."""
    sign = 1.0
    if at < end and (text[at] == _PLUS or text[at] == _MINUS):
        sign = -1.0 if text[at] == _MINUS else 1.0
        at += 1
    mantissa, digits, exponent, exact, point = 0, 0, 0, True, False
    while at < end:
        byte = text[at]
        if byte >= _ZERO and byte <= _NINE:
            digits += 1
            if mantissa < LARGEST // 10:
                mantissa = mantissa * 10 + (byte - _ZERO)
            else:
                exact = False
            if point:
                exponent -= 1
        elif byte == _POINT and not point:
            point = True
        else:
            break
        at += 1
    if digits == 0:
        return UNREADABLE, 0.0, at
    if at < end and (text[at] == _E or text[at] == _SMALL_E):
        at += 1
        down = False
        if at < end and (text[at] == _PLUS or text[at] == _MINUS):
            down = text[at] == _MINUS
            at += 1
        power, digits = 0, 0
        while at < end and text[at] >= _ZERO and text[at] <= _NINE:
            power = min(power * 10 + (text[at] - _ZERO), 100_000)
            digits += 1
            at += 1
        if digits == 0:
            return UNREADABLE, 0.0, at
        exponent += -power if down else power
    if exact:
        exact, value = decimal(mantissa, exponent)
        if exact:
            return READ, sign * value, at
    return INEXACT, 1.0, at


@njit
def known(table: np.ndarray, used: np.ndarray, key: int) -> bool:
    """Whether ``key`` is in the table; it is from now on."""
    mask = len(table) - 1
    slot = (key ^ (key >> 32)) & mask
    while used[slot]:
        if table[slot] == key:
            return True
        slot = (slot + 1) & mask
    table[slot], used[slot] = key, True
    return False


@njit
def _past_blanks(text: np.ndarray, at: int, end: int) -> int:
    while at < end and _blank(text[at]):
        at += 1
    return at


@njit
def _head(text: np.ndarray, begin: int, end: int, grammar: int) -> tuple[int, int]:
    """Begin and end of what stands before the features; an end of -1: not understood."""
    at = _past_blanks(text, begin, end)
    begin = at
    while at < end:
        byte = text[at]
        if grammar == VW:
            if byte == _BAR:
                return begin, at
        elif byte == _COLON:
            return begin, begin  # a request: the first word is a feature
        elif _blank(byte) or byte == _HASH:
            return begin, at
        at += 1
    return begin, -1 if grammar == VW else at


@njit
def scan(
    text: np.ndarray,
    bounds: np.ndarray,
    grammar: int,
    table: np.ndarray,
    used: np.ndarray,
) -> tuple[
    bool,
    np.ndarray,
    np.ndarray,
    np.ndarray,
    np.ndarray,
    np.ndarray,
    np.ndarray,
    np.ndarray,
    np.ndarray,
]:
    """The fields of Scanned for the rows ``text[bounds[i]:bounds[i + 1] - 1]``.

    ``text`` (bytes,) uint8 is UTF-8; ``table`` and ``used``
    (size a power of two): the keys known so far, updated.
    """
    rows = len(bounds) - 1
    most = len(text) // 2 + rows + 1  # a word takes a byte and a blank
    careful = np.zeros(rows, np.bool_)
    heads = np.zeros((rows, 2), np.int64)
    indptr = np.zeros(rows + 1, np.int64)
    keys = np.empty(most, np.int64)
    values = np.empty(most, np.float64)
    numeric = np.empty(most, np.bool_)
    fresh = np.empty((most, 5), np.int64)
    inexact = np.empty((most, 3), np.int64)
    name = np.empty(len(text) + 2, np.uint8)
    count = fresh_count = inexact_count = 0
    full = False
    for row in range(rows):
        begin, end = bounds[row], bounds[row + 1] - 1
        while end > begin and (_blank(text[end - 1]) or text[end - 1] == _NEWLINE):
            end -= 1
        first, first_inexact = count, inexact_count
        head, at = _head(text, begin, end, grammar)
        heads[row, 0], heads[row, 1] = head, max(head, at)
        wrong = at < 0
        space_begin, space_end, scale = 0, 0, 1.0
        while not wrong:
            at = _past_blanks(text, at, end)
            if at >= end:
                break
            word, byte = at, text[at]
            if grammar == LIBSVM and byte == _HASH:
                while at < end and text[at] != _NEWLINE:
                    at += 1
                wrong = at < end
                break
            opens = grammar == VW and byte == _BAR
            if opens:
                word = at = word + 1
            digits = True
            while at < end:
                byte = text[at]
                if byte in (_COLON, _NEWLINE) or _blank(byte):
                    break
                if byte == (_BAR if grammar == VW else _HASH):
                    break
                digits = digits and byte >= _ZERO and byte <= _NINE
                at += 1
            stop = at
            code, value = READ, 1.0
            has_value = at < end and text[at] == _COLON
            if has_value:
                code, value, at = number(text, at + 1, end)
            if at < end and not (
                _blank(text[at]) or text[at] == (_BAR if grammar == VW else _HASH)
            ):
                code = UNREADABLE
            if opens:
                wrong = code != READ
                space_begin, space_end, scale = word, stop, value
                continue
            unfit = grammar == LIBSVM and not (digits and has_value)
            if code == UNREADABLE or stop == word or unfit:
                wrong = True
                break
            length = 0
            if space_end > space_begin:
                for i in range(space_begin, space_end):
                    name[length] = text[i]
                    length += 1
                name[length] = _CARET
                length += 1
            for i in range(word, stop):
                name[length] = text[i]
                length += 1
            key = np.int64(xxh64(name, length))
            if not known(table, used, key):
                fresh[fresh_count, 0] = key
                fresh[fresh_count, 1], fresh[fresh_count, 2] = space_begin, space_end
                fresh[fresh_count, 3], fresh[fresh_count, 4] = word, stop
                fresh_count += 1
                if 2 * fresh_count > len(table):
                    full = True
                    break
            if code == INEXACT:
                inexact[inexact_count, 0] = count
                inexact[inexact_count, 1], inexact[inexact_count, 2] = stop + 1, at
                inexact_count += 1
            keys[count], values[count], numeric[count] = key, scale * value, has_value
            count += 1
        if full:
            break
        if wrong:
            careful[row] = True
            count, inexact_count = first, first_inexact
        indptr[row + 1] = count
    return (
        full,
        careful,
        heads,
        indptr,
        keys[:count].copy(),
        values[:count].copy(),
        numeric[:count].copy(),
        fresh[:fresh_count].copy(),
        inexact[:inexact_count].copy(),
    )
