"""What a shard sends in the gradient modes beside its gradients, and how gradients are added up."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from flink_ol.core.families.linear_loops import Rows
from flink_ol.core.features.extremes import batch_extremes
from flink_ol.core.features.scaling import batch_moments
from flink_ol.core.merging import moments
from flink_ol.core.state import ArraySpec, State


def feature_statistics(
    specs: Sequence[ArraySpec], state: State, rows: Rows, touched: np.ndarray, ranks: np.ndarray
) -> dict[str, np.ndarray]:
    """Moments and extremes of ``rows`` alone, by the arrays ``specs``: (touched, 3) each.

    ``ranks`` (entries,): an entry's index in the slots ``touched``. Moments that would make those
    of ``state`` infinite are not finite here.
    """
    entries = ranks, rows.values, rows.numeric, len(touched)
    found = {}
    for spec in specs:
        if spec.merge == "extremes":
            found[spec.name] = batch_extremes(*entries)
        else:
            of_rows = batch_moments(*entries)
            merged = moments(state.arrays[spec.name][touched], of_rows, 1.0)
            of_rows[~np.isfinite(merged).all(axis=-1)] = math.nan
            found[spec.name] = of_rows
    return found


def divided_sum(
    spec: ArraySpec,
    parts: Sequence[Mapping[str, np.ndarray]],
    places: Sequence[np.ndarray],
    touched: int,
    divisor: float,
) -> np.ndarray:
    """The gradients of the array ``spec`` in ``parts`` added up in their order, over ``divisor``.

    ``places``: per part the rows of its features in the result, which is (touched, *shape) where
    the array is per feature, else shape.
    """
    total = np.zeros((touched, *spec.shape) if spec.per_feature else spec.shape)
    for part, place in zip(parts, places, strict=True):
        # features are distinct within a part, so each row is added to once
        total[place if spec.per_feature else ...] += part[spec.name]
    return (total / divisor).astype(spec.dtype)
