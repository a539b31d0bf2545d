"""Merge rules: how a shard's difference joins an array of the model.

A rule is ``(rows, difference, factor) -> rows``, pure; ``factor`` is the weight of the shard.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Rule = Callable[[np.ndarray, np.ndarray, float], np.ndarray]


def add(rows: np.ndarray, difference: np.ndarray, factor: float) -> np.ndarray:
    """Statistics that add up over disjoint samples (counts, squared gradients, FTRL's z and n)."""
    return rows + difference


def average(rows: np.ndarray, difference: np.ndarray, factor: float) -> np.ndarray:
    """Differences of weights, averaged: each counts by its worker's share of the samples."""
    return rows + factor * difference if factor != 1.0 else rows + difference


def largest(rows: np.ndarray, difference: np.ndarray, factor: float) -> np.ndarray:
    """Maxima: the difference is the shard's own maximum, or 0 where it did not grow."""
    return np.maximum(rows, difference)


def extremes(rows: np.ndarray, difference: np.ndarray, factor: float) -> np.ndarray:
    """(..., 3) count, least and most of disjoint batches; of nothing where the count is 0."""
    ours, theirs = rows[..., :1] > 0, difference[..., :1] > 0
    low, high = np.minimum(rows, difference), np.maximum(rows, difference)
    merged = np.where(ours & theirs, low, np.where(ours, rows, difference))
    merged[..., 2] = np.where(ours & theirs, high, merged)[..., 2]
    merged[..., 0] = rows[..., 0] + difference[..., 0]
    return merged


def moments(rows: np.ndarray, difference: np.ndarray, factor: float) -> np.ndarray:
    """(..., 3) count, mean, squared deviations of disjoint batches.

    Chan, Golub, LeVeque 1979: never by differences of sums, which cancel.
    """
    ours, theirs = rows[..., 0], difference[..., 0]
    count = ours + theirs
    share = np.divide(theirs, count, out=np.zeros_like(count), where=count > 0)
    shift = difference[..., 1] - rows[..., 1]
    merged = np.empty_like(rows)
    merged[..., 0] = count
    merged[..., 1] = rows[..., 1] + shift * share
    merged[..., 2] = rows[..., 2] + difference[..., 2] + shift * shift * ours * share
    return merged


MERGES: dict[str, Rule | None] = {
    "sum": add,
    "mean": average,
    "max": largest,
    "moments": moments,
    "extremes": extremes,
    "derived": None,  # recomputed by its owner from the arrays it follows from
}
