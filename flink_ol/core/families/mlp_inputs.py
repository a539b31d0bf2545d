"""From sparse rows to the matrix of a mini-batch, and the parameters that it meets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from flink_ol.core.compiled import njit
from flink_ol.core.distinct import distinct
from flink_ol.core.families.linear_loops import Rows
from flink_ol.core.families.mlp_layers import Layer, Parameters


class Layout(NamedTuple):
    """Where the entries of a mini-batch stand in its matrix."""

    start: int  # first sample
    stop: int  # after the last sample
    touched: np.ndarray  # (columns,) int64, the slot of every column
    columns: np.ndarray  # (entries of the mini-batch,) int64, -1: a feature nobody knows


def layout(rows: Rows, start: int, stop: int) -> Layout:
    """Columns in order of first appearance."""
    slots = rows.slots[rows.indptr[start] : rows.indptr[stop]]
    known = slots >= 0
    if known.all():
        return Layout(start, stop, *distinct(slots))
    columns = np.full(len(slots), -1, np.int64)
    touched, columns[known] = distinct(slots[known])
    return Layout(start, stop, touched, columns)


def matrix(rows: Rows, values: np.ndarray, place: Layout, dtype: str) -> np.ndarray:
    """The mini-batch's ``values`` (its entries,): (samples, columns), absent features 0."""
    filled = np.zeros((place.stop - place.start, len(place.touched)), dtype)
    _fill(rows.indptr[place.start : place.stop + 1], place.columns, values, filled)
    return filled


def parameters(
    layers: Sequence[Layer], arrays: Mapping[str, np.ndarray], touched: np.ndarray
) -> list[Parameters]:
    """By layer; the first has the rows ``touched``, without a copy where they stand so."""
    found = []
    for number, layer in enumerate(layers, 1):
        weights = arrays[f"weights_{number}"]
        if number == 1:
            first = touched[0] if len(touched) else 0
            in_place = np.array_equal(touched, np.arange(first, first + len(touched)))
            weights = weights[first : first + len(touched)] if in_place else weights[touched]
        bias = np.zeros(layer.units, weights.dtype)
        found.append(Parameters(weights, arrays.get(f"bias_{number}", bias)))
    return found


@njit
def _fill(indptr: np.ndarray, columns: np.ndarray, values: np.ndarray, filled: np.ndarray) -> None:
    # a key that stands twice in a row counts twice, as in the linear models
    for sample in range(len(filled)):
        for entry in range(indptr[sample], indptr[sample + 1]):
            place = entry - indptr[0]
            if columns[place] >= 0:
                filled[sample, columns[place]] += values[place]
