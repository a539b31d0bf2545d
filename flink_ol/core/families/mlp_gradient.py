"""The summed gradient of dense networks at fixed parameters.

The samples are one batch for the optimizer, and are worked on some at a time for the sake of
memory: the sums of these parts are added in sample order, in float64 whatever the parameters are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from flink_ol.core.families import mlp_inputs, mlp_layers, mlp_steps, standardised
from flink_ol.core.families.linear_loops import Rows
from flink_ol.core.families.mlp_layers import Layer, Parameters
from flink_ol.core.families.setting import Setting

_AT_ONCE = 256  # rows, so that the matrices of sparse samples stay small


def gradient(
    layers: Sequence[Layer],
    setting: Setting,
    arrays: Mapping[str, np.ndarray],
    rows: Rows,
    ranks: np.ndarray,
    touched: np.ndarray,
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Raw scores (samples, outputs), without dropout, and sums of importance times gradient.

    ``touched``: the distinct slots of ``rows``; ``ranks`` (entries,): an entry's index among them.
    Dropout is that of the samples after those that ``arrays`` learned.
    """
    parameters = mlp_inputs.parameters(layers, arrays, touched)
    sums = [Parameters(np.zeros(W.shape), np.zeros(b.shape)) for W, b in parameters]
    count, dtype = len(rows.labels), parameters[0].weights.dtype
    scores = np.empty((count, setting.outputs))
    learned = int(arrays["steps"][0])
    ranked = rows._replace(slots=ranks)
    # what leads out of the finite numbers shows in scores and sums
    with np.errstate(all="ignore"):
        values = standardised.standing(arrays, rows, setting.scaled)
        for start in range(0, count, _AT_ONCE):
            stop = min(start + _AT_ONCE, count)
            place = mlp_inputs.layout(ranked, start, stop)
            span = slice(rows.indptr[start], rows.indptr[stop])
            X = mlp_inputs.matrix(ranked, values[span], place, dtype.name)
            first = Parameters(parameters[0].weights[place.touched], parameters[0].bias)
            here = [first, *parameters[1:]]
            kept = mlp_layers.drop(layers, setting.seed, learned + start, stop - start, dtype.name)
            passed = mlp_layers.forward(layers, here, X, kept)
            raw = passed[-1].outputs
            drops = any(mask is not None for mask in kept)
            scores[start:stop] = mlp_layers.score(layers, here, X) if drops else raw
            along = np.empty(raw.shape)
            mlp_steps.loss_gradients(
                setting.loss.code,
                setting.loss.parameters,
                raw.astype(np.float64),
                rows.labels[start:stop],
                rows.importance[start:stop],
                1.0,
                along,
            )
            parts = mlp_layers.backward(layers, here, passed, along.astype(dtype))
            for number, (part, total) in enumerate(zip(parts, sums, strict=True)):
                total.weights[place.touched if number == 0 else ...] += part.weights
                total.bias[...] += part.bias
        return scores, _named(sums, setting.intercept, dtype)


def _named(sums: Sequence[Parameters], intercept: bool, dtype: np.dtype) -> dict[str, np.ndarray]:
    """``sums`` by the names of the network's arrays; biases where it has any."""
    found = {}
    for number, (weights, bias) in enumerate(sums, 1):
        found[f"weights_{number}"] = weights.astype(dtype)
        if intercept:
            found[f"bias_{number}"] = bias.astype(dtype)
    return found


def by_layer(layers: Sequence[Layer], gradients: Mapping[str, np.ndarray]) -> list[Parameters]:
    """The inverse of :func:`_named`; zeros for biases that are not there."""
    found = []
    for number, layer in enumerate(layers, 1):
        weights = gradients[f"weights_{number}"]
        bias = gradients.get(f"bias_{number}", np.zeros(layer.units, weights.dtype))
        found.append(Parameters(weights, bias))
    return found
