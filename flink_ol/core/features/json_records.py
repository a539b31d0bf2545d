"""JSON records in compiled code: objects of scalars, and of one object or list of scalars in it.

It lives in the core because compiled code does, and because it is pure: bytes in, arrays out. What
it does not understand it does not judge: escapes in texts, a name that stands twice, deeper objects
and whatever is wrong mark the record, and a reader that knows all of JSON decides. Numbers of more
digits than are read here to the last bit are told.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from flink_ol.core.compiled import njit
from flink_ol.core.features.number_rows import json_number
from flink_ol.core.features.sparse_text import INEXACT, UNREADABLE, known
from flink_ol.core.features.xxh64 import number_keys, write_number, xxh64

NOTHING, FEATURES, LABEL, IMPORTANCE, FEATURE = range(5)  # what a member of a record is

_TAB, _NEWLINE, _RETURN, _SPACE = 9, 10, 13, 32
_QUOTE, _COMMA, _COLON, _EQUALS, _BACKSLASH = 34, 44, 58, 61, 92
_OPEN, _CLOSE, _OPEN_LIST, _CLOSE_LIST = 123, 125, 91, 93
_MINUS, _ZERO, _NINE = 45, 48, 57
_T, _F, _N = 116, 102, 110
_UNFIT, _NUMBER, _LONG_NUMBER, _TEXT, _TRUTH, _NULL = range(6)
_BEGUN, _BEHIND_VALUE, _BEHIND_COMMA = range(3)

_TRUE = np.frombuffer(b"true", np.uint8)
_FALSE = np.frombuffer(b"false", np.uint8)
_NULL_WORD = np.frombuffer(b"null", np.uint8)
_ARRAY = np.frombuffer(b"base64", np.uint8)  # the features are an array, for the other reader
_PLACES = 1 << 13  # of the names of a record
_MOST_NAMES = _PLACES // 2


class Scanned(NamedTuple):
    """What came of a batch. Positions are those of bytes in its text."""

    full: bool  # the table of known keys is too small: nothing else counts
    careful: np.ndarray  # (rows,) bool: left to the other reader; such rows have no entries
    labels: np.ndarray  # (rows, 2) int64: begin and end of the label, quotes included
    targets: np.ndarray  # (rows,) float64: the label where it is a number, else NaN
    importance: np.ndarray  # (rows,) float64, above 0
    indptr: np.ndarray  # (rows + 1,) int64
    keys: np.ndarray  # (entries,) int64
    values: np.ndarray  # (entries,) float64, finite
    numeric: np.ndarray  # (entries,) bool
    # (numbers, 3) int64: an entry, or -1 - row for a label, and where the number stands
    inexact: np.ndarray
    # (names, 5) int64: a key unknown before; begin and end of its name, or -1 and the place in a
    # list; begin and end of a category's value, or -1
    fresh: np.ndarray


@njit
def _past_blanks(text: np.ndarray, at: int, end: int) -> int:
    while at < end and text[at] in (_SPACE, _NEWLINE, _RETURN, _TAB):
        at += 1
    return at


@njit
def _closing_quote(text: np.ndarray, at: int, end: int) -> int:
    """Where the text that begins at ``at`` ends; -1 where it has an escape or no end."""
    while at < end:
        byte = text[at]
        if byte == _QUOTE:
            return at
        if byte == _BACKSLASH or byte < _SPACE:
            return -1
        at += 1
    return -1


@njit
def _is(text: np.ndarray, begin: int, end: int, word: np.ndarray) -> bool:
    same = end - begin == len(word)
    if same:
        for i in range(len(word)):
            same &= text[begin + i] == word[i]
    return same


@njit
def _scalar(text: np.ndarray, at: int, end: int) -> tuple[int, float, int, int, int]:
    """Kind and number of the value at ``at``; begin and end of what it says; where it ends."""
    if at >= end:
        return _UNFIT, 0.0, at, at, at
    byte = text[at]
    if byte == _QUOTE:
        stop = _closing_quote(text, at + 1, end)
        if stop < 0:
            return _UNFIT, 0.0, at, at, at
        return _TEXT, 0.0, at + 1, stop, stop + 1
    if byte == _MINUS or (byte >= _ZERO and byte <= _NINE):
        code, value, stop = json_number(text, at, end)
        if code == UNREADABLE:
            return _UNFIT, 0.0, at, at, at
        return (_LONG_NUMBER if code == INEXACT else _NUMBER), value, at, stop, stop
    if byte == _T and _is(text, at, min(at + 4, end), _TRUE):
        return _TRUTH, 0.0, at, at + 4, at + 4
    if byte == _F and _is(text, at, min(at + 5, end), _FALSE):
        return _TRUTH, 0.0, at, at + 5, at + 5
    if byte == _N and _is(text, at, min(at + 4, end), _NULL_WORD):
        return _NULL, 0.0, at, at + 4, at + 4
    return _UNFIT, 0.0, at, at, at


@njit
def _part(text: np.ndarray, begin: int, end: int, names: np.ndarray, ends: np.ndarray) -> int:
    """Which of ``names``, the pieces that end at ``ends``, stands there; -1: none."""
    first = 0
    for part in range(len(ends)):
        if _is(text, begin, end, names[first : ends[part]]):
            return part
        first = ends[part]
    return -1


@njit
def _twice(seen: np.ndarray, name: int, row: int) -> bool:
    """Whether ``name`` was asked for in ``row`` before; ``seen`` (places, 2) remembers."""
    place = (name ^ (name >> 32)) & (_PLACES - 1)
    while seen[place, 1] == row:
        if seen[place, 0] == name:
            return True
        place = (place + 1) & (_PLACES - 1)
    seen[place, 0], seen[place, 1] = name, row
    return False


@njit
def _category(
    text: np.ndarray, name: int, name_end: int, value: int, value_end: int, joined: np.ndarray
) -> int:
    """The key of a name and a value; the name is that number where its end is -1."""
    length = 0
    if name_end < 0:
        length = write_number(name, joined)
    else:
        for i in range(name, name_end):
            joined[length] = text[i]
            length += 1
    joined[length] = _EQUALS
    length += 1
    for i in range(value, value_end):
        joined[length] = text[i]
        length += 1
    return np.int64(xxh64(joined, length))  # type: ignore[return-value]


@njit
def scan(
    text: np.ndarray,
    bounds: np.ndarray,
    parts: np.ndarray,
    part_ends: np.ndarray,
    roles: np.ndarray,
    flat: bool,
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
    np.ndarray,
    np.ndarray,
]:
    """The fields of Scanned for the rows ``text[bounds[i]:bounds[i + 1]]``.

    ``text`` (bytes,) uint8 is UTF-8; ``parts`` and ``part_ends``: the names of the parts of a
    record, ``roles`` what they are; ``flat``: all other members are features; ``table`` and
    ``used`` (size a power of two): the keys known so far, updated.
    """
    rows = len(bounds) - 1
    most = len(text) // 2 + rows + 1  # an item takes a byte and a comma
    careful = np.zeros(rows, np.bool_)
    labels = np.zeros((rows, 2), np.int64)
    targets = np.full(rows, np.nan)
    importance = np.ones(rows)
    indptr = np.zeros(rows + 1, np.int64)
    keys = np.empty(most, np.int64)
    values = np.empty(most, np.float64)
    numeric = np.empty(most, np.bool_)
    fresh = np.empty((len(table) // 2 + 2, 5), np.int64)
    seen = np.full((_PLACES, 2), -1, np.int64)
    joined = np.empty(len(text) + 32, np.uint8)
    places = number_keys(np.arange(0))  # of the items of lists, as far as needed
    inexact = np.empty((most, 3), np.int64)
    count = fresh_count = inexact_count = 0
    full = False
    for row in range(rows):
        at, end = bounds[row], bounds[row + 1]
        first, first_inexact, names = count, inexact_count, 0
        has_label = has_features = has_importance = False
        in_list, depth, state, item = False, 1, _BEGUN, 0
        at = _past_blanks(text, at, end)
        wrong = at >= end or text[at] != _OPEN
        at += 1
        while not wrong and depth > 0:
            at = _past_blanks(text, at, end)
            if at >= end:
                wrong = True
                break
            byte = text[at]
            if byte == (_CLOSE_LIST if in_list else _CLOSE):
                wrong = state == _BEHIND_COMMA
                depth, in_list, state = depth - 1, False, _BEHIND_VALUE
                at += 1
                continue
            if state == _BEHIND_VALUE:
                wrong = byte != _COMMA
                state = _BEHIND_COMMA
                at += 1
                continue
            role, name, name_end = FEATURE, item, -1
            if not in_list:
                name = at + 1
                name_end = _closing_quote(text, name, end) if byte == _QUOTE else -1
                at = _past_blanks(text, name_end + 1, end)
                if name_end < 0 or at >= end or text[at] != _COLON:
                    wrong = True
                    break
                at = _past_blanks(text, at + 1, end)
                if depth == 1:
                    part = _part(text, name, name_end, parts, part_ends)
                    role = roles[part] if part >= 0 else (FEATURE if flat else NOTHING)
            if role == FEATURES:
                wrong = has_features or at >= end
                has_features = True
                if not wrong:
                    in_list = text[at] == _OPEN_LIST
                    wrong = not in_list and text[at] != _OPEN
                depth, state = 2, _BEGUN
                at += 1
                continue
            kind, number, begin, stop, at = _scalar(text, at, end)
            state = _BEHIND_VALUE
            if kind == _UNFIT:
                wrong = True
            elif role == LABEL:
                wrong = has_label or kind == _NULL
                has_label = True
                quote = 1 if kind == _TEXT else 0
                labels[row, 0], labels[row, 1] = begin - quote, stop + quote
                if kind == _NUMBER:
                    targets[row] = number
                elif kind == _LONG_NUMBER:
                    inexact[inexact_count, 0] = -1 - row
                    inexact[inexact_count, 1], inexact[inexact_count, 2] = begin, stop
                    inexact_count += 1
            elif role == IMPORTANCE:
                wrong = has_importance or kind != _NUMBER or number <= 0.0
                has_importance = True
                importance[row] = number
            elif role == FEATURE:
                if in_list:
                    if item >= len(places):
                        places = number_keys(np.arange(2 * item + 16))
                    key = places[item]
                    item += 1
                else:
                    key = np.int64(xxh64(text[name:name_end], name_end - name))
                    names += 1
                    if names > _MOST_NAMES or _twice(seen, key, row):
                        wrong = True
                        break
                    if depth == 2 and _is(text, name, name_end, _ARRAY):
                        wrong = True
                        break
                if kind == _NULL:
                    continue
                if kind == _LONG_NUMBER:
                    inexact[inexact_count, 0] = count
                    inexact[inexact_count, 1], inexact[inexact_count, 2] = begin, stop
                    inexact_count += 1
                numeric[count] = kind in (_NUMBER, _LONG_NUMBER)
                if not numeric[count]:
                    key, number = _category(text, name, name_end, begin, stop, joined), 1.0
                if not known(table, used, key):
                    fresh[fresh_count, 0] = key
                    fresh[fresh_count, 1] = -1 if in_list else name
                    fresh[fresh_count, 2] = name if in_list else name_end
                    fresh[fresh_count, 3] = -1 if numeric[count] else begin
                    fresh[fresh_count, 4] = stop
                    fresh_count += 1
                    if 2 * fresh_count > len(table):
                        full = True
                        break
                keys[count], values[count] = key, number
                count += 1
        if full:
            break
        wrong = wrong or not has_label or not (has_features or flat)
        if not wrong:
            wrong = _past_blanks(text, at, end) != end
        if wrong:
            careful[row] = True
            count, inexact_count = first, first_inexact
        indptr[row + 1] = count
    return (
        full,
        careful,
        labels,
        targets,
        importance,
        indptr,
        keys[:count].copy(),
        values[:count].copy(),
        numeric[:count].copy(),
        inexact[:inexact_count].copy(),
        fresh[:fresh_count].copy(),
    )
