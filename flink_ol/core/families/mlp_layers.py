"""Dense layers on matrices: forward, and backward to the gradient of every parameter.

A layer is f(input W + b), a row of the matrices is a sample. Dropout is inverted: what stays is
divided by its probability while learning, and nothing is left out while scoring (Srivastava et
al. 2014). Backward is the chain rule as in Rumelhart, Hinton, Williams 1986.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from flink_ol.core.families import activations
from flink_ol.core.families.drawing import uniforms

_STREAMS = 1 << 32  # of dropout, apart from those of the first weights


class Layer(NamedTuple):
    """One dense layer of a network; the last one's scores stay raw."""

    units: int
    activation: int  # a code of activations
    dropout: float  # share of this layer's outputs that are left out while learning


class Parameters(NamedTuple):
    """Of one layer; also the gradients with respect to them."""

    weights: np.ndarray  # (inputs, units)
    bias: np.ndarray  # (units,)


class Passed(NamedTuple):
    """What the way back needs to know of one layer."""

    inputs: np.ndarray  # (samples, inputs)
    sums: np.ndarray  # (samples, units), before the activation
    outputs: np.ndarray  # (samples, units), after the activation, before dropout
    kept: np.ndarray | None  # (samples, units), 0 or 1 / (1 - dropout); None: everything


def score(layers: Sequence[Layer], parameters: Sequence[Parameters], X: np.ndarray) -> np.ndarray:
    """Raw scores (samples, outputs) of ``X`` (samples, inputs), without dropout."""
    return forward(layers, parameters, X, [None] * len(layers))[-1].outputs


def drop(
    layers: Sequence[Layer], seed: int, learned: int, count: int, dtype: str
) -> list[np.ndarray | None]:
    """Dropout's factors by layer, as in Passed, for the ``count`` samples after ``learned``.

    Drawn from seed, layer and the sample's number alone, so that a restart repeats them.
    """
    samples = np.arange(learned, learned + count, dtype=np.int64)
    kept: list[np.ndarray | None] = []
    for number, (units, _, dropout) in enumerate(layers, 1):
        if dropout == 0.0:
            kept.append(None)
        else:
            stays = uniforms(seed, _STREAMS + number, samples, units) >= dropout
            kept.append((stays / (1.0 - dropout)).astype(dtype))
    return kept


def forward(
    layers: Sequence[Layer],
    parameters: Sequence[Parameters],
    X: np.ndarray,
    kept: Sequence[np.ndarray | None],
) -> list[Passed]:
    """What happens in every layer to ``X`` (samples, inputs); ``kept`` as in Passed, by layer."""
    passed = []
    for layer, (weights, bias), mask in zip(layers, parameters, kept, strict=True):
        sums = X @ weights
        sums += bias
        outputs = activations.activate(layer.activation, sums)
        passed.append(Passed(X, sums, outputs, mask))
        X = outputs if mask is None else outputs * mask
    return passed


def backward(
    layers: Sequence[Layer],
    parameters: Sequence[Parameters],
    passed: Sequence[Passed],
    gradient: np.ndarray,
) -> list[Parameters]:
    """Gradients by layer; ``gradient`` (samples, outputs) is that of the raw scores."""
    gradients = []
    for i in range(len(layers) - 1, -1, -1):
        inputs = passed[i].inputs
        gradients.append(Parameters(inputs.T @ gradient, gradient.sum(axis=0)))
        if i > 0:
            below = passed[i - 1]
            gradient = gradient @ parameters[i].weights.T
            if below.kept is not None:
                gradient *= below.kept
            activations.chain(layers[i - 1].activation, below.sums, below.outputs, gradient)
    return gradients[::-1]
