"""Distinct pieces of a text, compared byte by byte."""

from __future__ import annotations

import numpy as np

from flink_ol.core.compiled import njit
from flink_ol.core.features.xxh64 import xxh64

_EMPTY = -1


@njit
def _same(text: np.ndarray, begin: int, end: int, other: int, other_end: int) -> bool:
    same = end - begin == other_end - other
    if same:
        for i in range(end - begin):
            same &= text[begin + i] == text[other + i]
    return same


@njit
def distinct_pieces(text: np.ndarray, bounds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first of each kind among the pieces, (kinds,) int64, and each piece's kind, (pieces,).

    ``text`` (bytes,) uint8; ``bounds`` (pieces, 2) int64: where they begin and end.
    """
    kinds = np.empty(len(bounds), np.int64)
    firsts = np.empty(len(bounds), np.int64)
    hashes = np.empty(len(bounds), np.int64)
    table = np.full(256, _EMPTY, np.int64)
    count = 0
    for i in range(len(bounds)):
        begin, end = bounds[i, 0], bounds[i, 1]
        found = np.int64(xxh64(text[begin:end], end - begin))
        place = found & (len(table) - 1)
        while table[place] != _EMPTY:
            kind = table[place]
            if hashes[kind] == found:
                other = firsts[kind]
                if _same(text, begin, end, bounds[other, 0], bounds[other, 1]):
                    break
            place = (place + 1) & (len(table) - 1)
        if table[place] == _EMPTY:
            table[place] = count
            firsts[count], hashes[count] = i, found
            count += 1
            if 2 * count > len(table):
                table = np.full(4 * len(table), _EMPTY, np.int64)
                for kind in range(count):
                    at = hashes[kind] & (len(table) - 1)
                    while table[at] != _EMPTY:
                        at = (at + 1) & (len(table) - 1)
                    table[at] = kind
            kinds[i] = count - 1
        else:
            kinds[i] = table[place]
    return firsts[:count].copy(), kinds
