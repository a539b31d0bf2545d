"""Numbers drawn by counter: a function of seed, stream and place, in whatever order they are asked.

Replicas that meet features in different orders draw the same numbers for them, and a restart draws
again what it drew before.
"""

from __future__ import annotations

import numpy as np

_STRIDE = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio, odd
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def uniforms(seed: int, stream: int, keys: np.ndarray, columns: int) -> np.ndarray:
    """Numbers in [0, 1) with 53 random bits: (keys, columns) float64.

    ``keys`` (keys,) int64, any; ``stream`` tells uses of one seed apart. SplitMix64 (Steele, Lea,
    Flood 2014) from a state that depends on seed, stream and key.
    """
    start = _mixed(np.array([seed % 2**64], np.uint64))
    start = _mixed(start + _STRIDE * np.array([stream % 2**64], np.uint64))
    start = _mixed(start + _STRIDE * np.ascontiguousarray(keys, np.int64).view(np.uint64))
    counter = np.arange(1, columns + 1, dtype=np.uint64) * _STRIDE
    bits = _mixed(start[:, np.newaxis] + counter)
    return (bits >> np.uint64(11)) * 2.0**-53


def _mixed(state: np.ndarray) -> np.ndarray:
    """SplitMix64's output function of every element; a bijection of the 64-bit integers."""
    state = (state ^ (state >> np.uint64(30))) * _FIRST
    state = (state ^ (state >> np.uint64(27))) * _SECOND
    return state ^ (state >> np.uint64(31))
