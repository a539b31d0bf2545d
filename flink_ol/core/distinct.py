"""Distinct numbers in order of first appearance, in time and memory of how many there are."""

from __future__ import annotations

import numpy as np

from flink_ol.core.compiled import njit
from flink_ol.core.vocabulary import position


def distinct(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The different ones of ``numbers`` (n,) int64, and each number's index among them, (n,)."""
    return _distinct(np.require(numbers, np.int64, ["C", "W"]), 64 - len(numbers).bit_length() - 1)


@njit
def _distinct(numbers: np.ndarray, shift: int) -> tuple[np.ndarray, np.ndarray]:
    # at most half full; a place holds an index into found, and one more
    table = np.zeros(1 << (64 - shift), np.int32)
    mask = len(table) - 1
    found = np.empty(len(numbers), np.int64)
    ranks = np.empty(len(numbers), np.int64)
    count = 0
    for i in range(len(numbers)):
        place = position(numbers[i], shift)
        while table[place] != 0 and found[table[place] - 1] != numbers[i]:
            place = (place + 1) & mask
        if table[place] == 0:
            found[count] = numbers[i]
            count += 1
            table[place] = count
        ranks[i] = table[place] - 1
    return found[:count].copy(), ranks
