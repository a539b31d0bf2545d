"""Activations of dense layers, and what they do to gradients on the way back.

relu: max(0, z). tanh. sigmoid: 1 / (1 + exp(-z)). gelu: z Phi(z) with the normal distribution
function, exactly, not its tanh approximation (Hendrycks, Gimpel 2016). A number that is not finite
stays so.
"""

from __future__ import annotations

import math

import numpy as np

from flink_ol.core.compiled import njit

IDENTITY, RELU, TANH, SIGMOID, GELU = range(5)

CODES = {"relu": RELU, "tanh": TANH, "sigmoid": SIGMOID, "gelu": GELU}

_ROOT_HALF = math.sqrt(0.5)
_DENSITY = 1.0 / math.sqrt(2.0 * math.pi)


def activate(kind: int, sums: np.ndarray) -> np.ndarray:
    """The activation ``kind`` of ``sums`` (samples, units); the identity gives them back."""
    if kind == IDENTITY:
        return sums
    outputs = np.empty_like(sums)
    _activate(kind, sums, outputs)
    return outputs


def chain(kind: int, sums: np.ndarray, outputs: np.ndarray, gradient: np.ndarray) -> None:
    """Multiply ``gradient`` by the derivative at ``sums``, in place; all (samples, units)."""
    if kind != IDENTITY:
        _chain(kind, sums, outputs, gradient)


@njit
def _activate(kind: int, sums: np.ndarray, outputs: np.ndarray) -> None:
    for i in range(sums.shape[0]):
        for j in range(sums.shape[1]):
            z = np.float64(sums[i, j])
            if kind == RELU:
                outputs[i, j] = 0.0 if z < 0.0 else z
            elif kind == TANH:
                outputs[i, j] = math.tanh(z)
            elif kind == SIGMOID:
                outputs[i, j] = 1.0 / (1.0 + math.exp(-z))
            else:
                outputs[i, j] = 0.5 * z * math.erfc(-z * _ROOT_HALF)


@njit
def _chain(kind: int, sums: np.ndarray, outputs: np.ndarray, gradient: np.ndarray) -> None:
    for i in range(sums.shape[0]):
        for j in range(sums.shape[1]):
            if kind == RELU:
                if sums[i, j] <= 0.0:
                    gradient[i, j] = 0.0
            elif kind == TANH:
                gradient[i, j] *= 1.0 - outputs[i, j] * outputs[i, j]
            elif kind == SIGMOID:
                gradient[i, j] *= outputs[i, j] * (1.0 - outputs[i, j])
            else:
                z = np.float64(sums[i, j])
                below = 0.5 * math.erfc(-z * _ROOT_HALF)
                gradient[i, j] *= below + z * _DENSITY * math.exp(-0.5 * z * z)
