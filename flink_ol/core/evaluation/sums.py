"""Prequential sums as such: named arrays of disjoint samples that add up.

Names with ``slice/`` are groups of values, added by core.evaluation.slices; ``targets`` are count,
mean and squared deviations, which join by Chan's formula; all others add element by element.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from flink_ol.core.merging import moments

Sums = dict[str, np.ndarray]

SLICE = "slice/"
TARGETS = "targets"


def add(ours: Mapping[str, np.ndarray], theirs: Mapping[str, np.ndarray]) -> Sums:
    """The sums of two disjoint sets of samples; slices are for core.evaluation.slices."""
    joined = {name: np.array(value) for name, value in ours.items()}
    for name, value in theirs.items():
        joined[name] = joined_array(name, joined[name], value) if name in joined else value.copy()
    return joined


def joined_array(name: str, ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """One array of the sums of two disjoint sets of samples."""
    return moments(ours, theirs, 1.0) if name == TARGETS else ours + theirs


def fade(sums: Mapping[str, np.ndarray], factor: float) -> Sums:
    """The same samples, each weighing ``factor`` of what it weighed."""
    faded = {}
    for name, value in sums.items():
        faded[name] = value * factor
        if name == TARGETS:
            faded[name][..., 1] = value[..., 1]  # a mean does not fade
    return faded


def scored(sums: Mapping[str, np.ndarray]) -> float:
    """Samples in ``sums``, or their weight."""
    if "counts" in sums:
        return float(sums["counts"][0, 0].sum())
    return float(sums["errors"][0, 0]) if "errors" in sums else 0.0
