"""Distinct numbers in order of first appearance, in time and memory of how many there are."""

from __future__ import annotations

import numpy as np

from flink_ol.core.compiled import njit
from flink_ol.core.vocabulary import position

_FIRST_BITS = 10
_EMPTY = -1


def distinct(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The different ones of ``numbers`` (n,) int64, and each number's index among them, (n,)."""
    numbers = np.require(numbers, np.int64, ["C", "W"])
    ranks = np.empty(len(numbers), np.int64)
    known, start, bits = np.empty(0, np.int64), 0, _FIRST_BITS
    # the table grows with what is found, not with what is looked at: dense batches need a small one
    while True:
        table, found = np.full(1 << bits, _EMPTY, np.int64), np.empty((1 << bits) // 2, np.int64)
        _rank(table, found, 0, 64 - bits, known, 0, np.empty(len(known), np.int64))
        count, start = _rank(table, found, len(known), 64 - bits, numbers, start, ranks)
        if start == len(numbers):
            return found[:count].copy(), ranks
        known, bits = found, bits + 2


@njit
def _rank(
    table: np.ndarray,
    found: np.ndarray,
    count: int,
    shift: int,
    numbers: np.ndarray,
    start: int,
    ranks: np.ndarray,
) -> tuple[int, int]:
    """Rank ``numbers[start:]`` until done or ``found`` is full; how many, and the next to rank."""
    mask = len(table) - 1
    for i in range(start, len(numbers)):
        number = numbers[i]
        place = position(number, shift)
        while table[place] != _EMPTY and found[table[place]] != number:
            place = (place + 1) & mask
        if table[place] == _EMPTY:
            if count == len(found):
                return count, i
            found[count] = number
            table[place] = count
            count += 1
        ranks[i] = table[place]
    return count, len(numbers)
