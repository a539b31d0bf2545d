"""Running standardisation: one row of count, mean and squared deviations per feature slot.

Learned value by value (Welford 1962), merged by the moments of disjoint batches. A feature that is
absent from a sample is neither counted nor transformed, and categoricals are never scaled.
"""

from __future__ import annotations

import math

import numpy as np

from flink_ol.core.compiled import njit

COUNT, MEAN, DEVIATIONS = 0, 1, 2  # columns of the scaler

_NOISE = (64.0 * 2.0**-52) ** 2
_LARGEST = 1e150  # the square of a larger deviation is not a number to go on with


@njit
def inverse_deviation(mean: float, variance: float) -> float:
    """1 / sqrt(variance); 0 where the variance is rounding noise beside the mean.

    The merged variance of a constant feature is not exactly zero; dividing by it would turn noise
    into large numbers. 0 / 0, the variance of nothing, gives 0 too.
    """
    return 1.0 / math.sqrt(variance) if variance > _NOISE * mean * mean else 0.0


@njit
def learned(mean: float, deviations: float, value: float, share: float) -> tuple[float, float]:
    """Mean and squared deviations with ``value`` counted in; ``share`` is 1 / the new count."""
    shift = value - mean
    mean += shift * share
    return mean, deviations + shift * (value - mean)


@njit
def batch_moments(
    ranks: np.ndarray, values: np.ndarray, numeric: np.ndarray, touched: int
) -> np.ndarray:
    """Count, mean and squared deviations of one batch alone: (touched, 3) float64.

    In two passes. Means are summed from the feature's first value, so that a constant has itself
    as mean, to the bit: the noise of a plain sum over thousands of values would not pass for
    rounding once merged.
    ``ranks`` gives an entry's row in the result. Infinite where a value is too large to be scaled.
    """
    moments = np.zeros((touched, 3))
    first = np.zeros(touched)
    for entry in range(len(values)):
        if numeric[entry]:
            row = ranks[entry]
            if moments[row, COUNT] == 0.0:
                first[row] = values[entry]
            moments[row, COUNT] += 1.0
            moments[row, MEAN] += values[entry] - first[row]
            if abs(values[entry]) > _LARGEST:
                moments[row, DEVIATIONS] = math.inf
    for row in range(touched):
        if moments[row, COUNT] > 0.0:
            moments[row, MEAN] = first[row] + moments[row, MEAN] / moments[row, COUNT]
    for entry in range(len(values)):
        if numeric[entry]:
            row = ranks[entry]
            deviation = values[entry] - moments[row, MEAN]
            moments[row, DEVIATIONS] += deviation * deviation
    return moments
