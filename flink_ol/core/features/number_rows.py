"""Records that differ in nothing but their numbers: compared and read in one pass, compiled."""

from __future__ import annotations

import numpy as np

from flink_ol.core.compiled import njit
from flink_ol.core.features.sparse_text import READ, number

_MINUS, _ZERO, _NINE = 45, 48, 57


@njit
def _digit(text: np.ndarray, at: int, end: int) -> bool:
    return at < end and text[at] >= _ZERO and text[at] <= _NINE


@njit
def _json_number(text: np.ndarray, at: int, end: int) -> tuple[bool, float, int]:
    """Whether a JSON number stands at ``at`` and is read right to the last bit; value and end."""
    first = at + 1 if at < end and text[at] == _MINUS else at
    if not _digit(text, first, end) or (text[first] == _ZERO and _digit(text, first + 1, end)):
        return False, 0.0, at
    code, value, stop = number(text, at, end)
    return code == READ and _digit(text, stop - 1, end), value, stop


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
    at = 0
    for row in range(len(ends)):
        end = ends[row]
        begin = 0
        for piece in range(len(literal_ends)):
            stop = literal_ends[piece]
            if at + stop - begin > end:
                return row
            for i in range(begin, stop):
                if text[at] != literal[i]:
                    return row
                at += 1
            begin = stop
            if piece < values.shape[1]:
                fits, value, at = _json_number(text, at, end)
                if not fits:
                    return row
                values[row, piece] = value
        if at != end:
            return row
    return len(ends)
