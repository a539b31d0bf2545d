"""Dense layers: gradients against central differences, activations against their formulas."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from flink_ol.core.families import activations, mlp_layers
from flink_ol.core.families.activations import CODES, GELU, IDENTITY, RELU, SIGMOID, TANH
from flink_ol.core.families.mlp_layers import Layer, Parameters, backward, forward, score
from flink_ol.core.families.mlp_steps import loss_gradients
from flink_ol.core.losses import LOSSES

FORMULAS: dict[str, Callable[[float], float]] = {
    "relu": lambda z: max(0.0, z),
    "tanh": math.tanh,
    "sigmoid": lambda z: 1.0 / (1.0 + math.exp(-z)),
    "gelu": lambda z: 0.5 * z * (1.0 + math.erf(z / math.sqrt(2.0))),
}


def network(layers: list[Layer], inputs: int, seed: int) -> list[Parameters]:
    rng, parameters = np.random.default_rng(seed), []
    for layer in layers:
        weights, bias = rng.normal(size=(inputs, layer.units)), rng.normal(size=layer.units)
        parameters.append(Parameters(weights, bias))
        inputs = layer.units
    return parameters


@pytest.mark.parametrize("name", CODES)
def test_activations_follow_their_formulas(name: str) -> None:
    sums = np.linspace(-6, 6, 48).reshape(6, 8)
    expected = [[FORMULAS[name](z) for z in row] for row in sums]
    found = activations.activate(CODES[name], sums)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)
    single = activations.activate(CODES[name], sums.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", CODES)
def test_what_is_not_a_number_stays_so(name: str) -> None:
    found = activations.activate(CODES[name], np.full((1, 2), math.nan))
    assert np.isnan(found).all()


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_every_gradient_is_that_of_central_differences(loss: str, dropout: float) -> None:
    """Of every parameter of a network with all activations, for every loss."""
    outputs = 4 if loss == "softmax" else 1
    layers = [Layer(5, kind, dropout) for kind in (TANH, GELU, SIGMOID, RELU)]
    layers.append(Layer(outputs, IDENTITY, 0.0))
    rng, n = np.random.default_rng(3), 6
    X, importance = rng.normal(size=(n, 3)), rng.uniform(0.5, 2.0, size=n)
    labels = rng.integers(0, 4 if loss == "softmax" else 2, size=n).astype(float)
    parameters, kept = network(layers, 3, seed=4), mlp_layers.drop(layers, 5, 0, n, "float64")

    def cost() -> float:
        raw = forward(layers, parameters, X, kept)[-1].outputs
        return float((LOSSES[loss].value(raw, labels) * importance).sum() / n)

    passed = forward(layers, parameters, X, kept)
    gradient = np.empty((n, outputs))
    kind = LOSSES[loss]
    loss_gradients(
        kind.code,
        kind.parameters,
        passed[-1].outputs,
        labels,
        importance,
        float(len(labels)),
        gradient,
    )
    found = backward(layers, parameters, passed, gradient)
    step = 1e-6
    for of_layer, gradients in zip(parameters, found, strict=True):
        for array, answer in zip(of_layer, gradients, strict=True):
            for place in np.ndindex(array.shape):
                before = array[place]
                array[place] = before + step
                above = cost()
                array[place] = before - step
                below = cost()
                array[place] = before
                difference = (above - below) / (2 * step)
                np.testing.assert_allclose(answer[place], difference, rtol=1e-5, atol=1e-8)


def test_dropout_leaves_out_its_share_and_keeps_the_mean() -> None:
    layers = [Layer(200, RELU, 0.3), Layer(50, RELU, 0.0), Layer(200, RELU, 0.6)]
    first, none, last = mlp_layers.drop(layers, 1, 0, 500, "float32")
    assert none is None
    for mask, dropout in ((first, 0.3), (last, 0.6)):
        assert mask is not None
        assert mask.dtype == np.float32
        assert set(np.unique(mask)) == {np.float32(0), np.float32(1 / (1 - dropout))}
        assert (mask == 0).mean() == pytest.approx(dropout, abs=0.01)
        assert mask.mean() == pytest.approx(1.0, abs=0.02)


def test_dropout_depends_on_the_number_of_the_sample_not_on_the_mini_batch() -> None:
    layers = [Layer(30, RELU, 0.5)]
    whole, part = (mlp_layers.drop(layers, 7, *span, "float64")[0] for span in ((0, 9), (4, 3)))
    assert whole is not None
    assert part is not None
    assert np.array_equal(whole[4:7], part)
    other = mlp_layers.drop(layers, 8, 0, 9, "float64")[0]
    assert other is not None
    assert not np.array_equal(whole, other)
    assert len(np.unique(whole, axis=0)) == 9


def test_scoring_drops_nothing() -> None:
    layers = [Layer(8, TANH, 0.9), Layer(2, IDENTITY, 0.0)]
    parameters = network(layers, 3, seed=1)
    X = np.random.default_rng(2).normal(size=(4, 3))
    (first, bias), (last, end) = parameters
    expected = np.tanh(X @ first + bias) @ last + end
    np.testing.assert_allclose(score(layers, parameters, X), expected, rtol=1e-12)
