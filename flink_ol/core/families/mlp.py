"""Dense neural networks on mini-batches, in the same loop as everything else.

The samples of one call are cut into mini-batches of at most ``batch_size``; none reaches from one
call into the next, so nothing has to wait. Every sample of a mini-batch is scored with the
parameters before its step and without dropout; standardisation goes sample by sample, see
mlp_inputs. The first layer has one row of weights per feature, and of a mini-batch only the rows
of its features step; biases step like weights, at the optimizer's rate. Schedules and warm-up
count samples and are read at a mini-batch's first one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt, Le, Lt

from flink_ol.core.families import (
    activations,
    mlp_gradient,
    mlp_inputs,
    mlp_layers,
    mlp_steps,
    standardised,
)
from flink_ol.core.families.initial import Drawn, first_of, limit_of
from flink_ol.core.families.linear_loops import Rows
from flink_ol.core.families.mlp_layers import Layer, Parameters
from flink_ol.core.families.setting import Setting
from flink_ol.core.fields import Section
from flink_ol.core.optimizers import padded, repeated, schedules
from flink_ol.core.state import ArraySpec

Activation = Literal["relu", "tanh", "gelu", "sigmoid"]
Units = Annotated[int, Gt(0), Le(65_536)]
Dropout = Annotated[float, Ge(0), Lt(1)]

_SCORED_AT_ONCE = 256  # rows, so that the matrices of many requests stay small


@dataclass(frozen=True, kw_only=True)
class HiddenLayer(Section):
    """A dense layer between the features and the output."""

    units: Units
    """How many numbers come out."""
    activation: Activation | None = None
    """null: the model's."""
    dropout: Dropout | None = None
    """Share of the layer's outputs left out of every learned sample; null: the model's."""


@dataclass(frozen=True, kw_only=True)
class MlpModel(Section):
    """Dense layers; the output is softmax, logistic or linear as the task asks."""

    family: Literal["mlp"] = "mlp"
    hidden: tuple[Units | HiddenLayer, ...] = (128,)
    """The hidden layers from the features on: numbers of units, or units with settings."""
    activation: Activation = "relu"
    """Of hidden layers that do not name their own."""
    dropout: Dropout = 0.0
    """Of hidden layers that do not name their own."""
    initial: Literal["he", "glorot"] = "he"
    """Spread of the first weights: variance 2 / inputs, or 2 / (inputs + units)."""
    inputs: Annotated[int, Gt(0)] = 100
    """About how many features a sample has: scales the first weights of new features."""
    batch_size: Annotated[int, Gt(0), Le(65_536)] = 32
    """Samples a step, fewer where a window of the stream ends."""
    dtype: Literal["float64", "float32"] = "float64"
    """Of the parameters and what the optimizer keeps; float32 halves updates and snapshots."""
    l2: Annotated[float, Ge(0)] = 0.0
    """Adds l2 times the weight to the gradient of a mini-batch's weights, not of biases."""


class Mlp:
    """The mlp family for one setting; holds no arrays."""

    def __init__(self, model: MlpModel, setting: Setting) -> None:
        self._model, self._setting, self._optimizer = model, setting, setting.optimizer
        self._layers = (
            *(_hidden(layer, model) for layer in model.hidden),
            Layer(setting.outputs, activations.IDENTITY, 0.0),
        )
        self._drops = any(layer.dropout > 0.0 for layer in self._layers)
        self._parameters = padded(setting.optimizer.parameters)
        code, parameters = setting.optimizer.schedule
        self._schedule = code, padded(parameters)
        self.specs = self._declare()

    def _declare(self) -> tuple[ArraySpec, ...]:
        model, optimizer = self._model, self._optimizer
        rule = "derived" if optimizer.derived else "mean"
        # a mean like the moments that Adam corrects by it: of parallel steps each counts in part
        specs = [ArraySpec("mini_batches", (1,), "mean", per_feature=False)]
        inputs = model.inputs
        for number, layer in enumerate(self._layers, 1):
            limit = limit_of(model.initial, inputs, layer.units)
            drawn = Drawn(self._setting.seed, number, inputs, layer.units, limit)
            per_feature = number == 1
            shape = (layer.units,) if per_feature else (inputs, layer.units)
            name, dtype = f"weights_{number}", model.dtype
            specs.append(ArraySpec(name, shape, rule, per_feature, dtype, drawn))
            for kept, merge in optimizer.accumulators:
                first = first_of(optimizer, kept, drawn)
                specs.append(ArraySpec(f"{name}_{kept}", shape, merge, per_feature, dtype, first))
            if self._setting.intercept:
                name, shape = f"bias_{number}", (layer.units,)
                specs.append(ArraySpec(name, shape, rule, False, dtype))
                for kept, merge in optimizer.accumulators:
                    specs.append(ArraySpec(f"{name}_{kept}", shape, merge, False, dtype))
            inputs = layer.units
        return tuple(specs)

    def learn(self, arrays: Mapping[str, np.ndarray], rows: Rows, rate_scale: float) -> np.ndarray:
        """Score and learn mini-batch by mini-batch, in place: raw scores (samples, outputs)."""
        count = len(rows.labels)
        scores = np.empty((count, self._setting.outputs))
        # what leads out of the finite numbers shows in scores and parameters
        with np.errstate(all="ignore"):
            before, after = standardised.learned(arrays, rows, self._setting.scaled)
            for start in range(0, count, self._model.batch_size):
                stop = min(start + self._model.batch_size, count)
                span = slice(rows.indptr[start], rows.indptr[stop])
                place = mlp_inputs.layout(rows, start, stop)
                values = before[span], after[span]
                scores[start:stop] = self._mini_batch(arrays, rows, place, values, rate_scale)
        return scores

    def _mini_batch(
        self,
        arrays: Mapping[str, np.ndarray],
        rows: Rows,
        place: mlp_inputs.Layout,
        values: tuple[np.ndarray, np.ndarray],
        rate_scale: float,
    ) -> np.ndarray:
        parameters = mlp_inputs.parameters(self._layers, arrays, place.touched)
        X = mlp_inputs.matrix(rows, values[1], place, self._model.dtype)
        learned, size = int(arrays["steps"][0]), place.stop - place.start
        kept = mlp_layers.drop(self._layers, self._setting.seed, learned, size, self._model.dtype)
        passed = mlp_layers.forward(self._layers, parameters, X, kept)
        raw = passed[-1].outputs
        scores = raw
        if self._setting.scaled:
            X = mlp_inputs.matrix(rows, values[0], place, self._model.dtype)
        if self._setting.scaled or self._drops:
            scores = mlp_layers.score(self._layers, parameters, X)
        gradient = np.empty(raw.shape)
        samples = slice(place.start, place.stop)
        mlp_steps.loss_gradients(
            self._setting.loss.code,
            self._setting.loss.parameters,
            raw.astype(np.float64),
            rows.labels[samples],
            rows.importance[samples],
            float(len(raw)),
            gradient,
        )
        gradients = mlp_layers.backward(
            self._layers, parameters, passed, gradient.astype(raw.dtype)
        )
        self._step(arrays, place.touched, gradients, rate_scale)
        arrays["steps"][0] += size
        arrays["mini_batches"][0] += 1.0
        return scores

    def _step(
        self,
        arrays: Mapping[str, np.ndarray],
        touched: np.ndarray,
        gradients: list[Parameters],
        rate_scale: float,
    ) -> None:
        optimizer, t = self._optimizer, arrays["steps"][0]
        rate = optimizer.learning_rate * schedules.factor(*self._schedule, t)
        if t < optimizer.warm_up:
            rate *= (t + 1.0) / optimizer.warm_up
        parameters = self._parameters
        if optimizer.scales_with_workers:
            rate *= rate_scale
            parameters = repeated(parameters, rate_scale)
        number_of_step = float(arrays["mini_batches"][0]) + 1.0
        for number, of_layer in enumerate(gradients, 1):
            weights = self._steppable(arrays, f"weights_{number}")
            rows = touched if number == 1 else np.arange(len(weights[0]))
            head = optimizer.code, parameters, float(rate), number_of_step
            mlp_steps.step(*head, self._model.l2, rows, of_layer.weights, *weights)
            if self._setting.intercept:
                bias = self._steppable(arrays, f"bias_{number}")
                gradient = of_layer.bias.reshape(1, -1)
                mlp_steps.step(*head, 0.0, np.zeros(1, np.int64), gradient, *bias)

    def gradient(
        self, arrays: Mapping[str, np.ndarray], rows: Rows, ranks: np.ndarray, touched: np.ndarray
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Raw scores (samples, outputs) and the summed gradients by array; changes nothing.

        ``touched``: the distinct slots of ``rows``, the rows of what is per feature; ``ranks``
        (entries,): an entry's index among them. All samples are one batch.
        """
        return mlp_gradient.gradient(self._layers, self._setting, arrays, rows, ranks, touched)

    def step(
        self,
        arrays: Mapping[str, np.ndarray],
        slots: np.ndarray,
        gradients: Mapping[str, np.ndarray],
        rate_scale: float,
    ) -> None:
        """One step of the rows ``slots`` and all fixed arrays along ``gradients``, in place."""
        self._step(arrays, slots, mlp_gradient.by_layer(self._layers, gradients), rate_scale)
        arrays["mini_batches"][0] += 1.0

    def _steppable(
        self, arrays: Mapping[str, np.ndarray], name: str
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Array and accumulators as matrices; an accumulator not in use has no rows."""
        array = np.atleast_2d(arrays[name])
        kept = [np.atleast_2d(arrays[f"{name}_{kept}"]) for kept, _ in self._optimizer.accumulators]
        first, second = [*kept, array[:0], array[:0]][:2]
        return array, first, second

    def score(self, arrays: Mapping[str, np.ndarray], rows: Rows) -> np.ndarray:
        """Raw scores (samples, outputs) with everything as it stands, without dropout."""
        count = len(rows.labels)
        scores = np.empty((count, self._setting.outputs))
        with np.errstate(all="ignore"):
            values = standardised.standing(arrays, rows, self._setting.scaled)
            for start in range(0, count, _SCORED_AT_ONCE):
                stop = min(start + _SCORED_AT_ONCE, count)
                place = mlp_inputs.layout(rows, start, stop)
                span = slice(rows.indptr[start], rows.indptr[stop])
                X = mlp_inputs.matrix(rows, values[span], place, self._model.dtype)
                parameters = mlp_inputs.parameters(self._layers, arrays, place.touched)
                scores[start:stop] = mlp_layers.score(self._layers, parameters, X)
        return scores

    def derive(self, arrays: Mapping[str, np.ndarray], slots: np.ndarray) -> None:
        """Make the rows ``slots`` of derived arrays, and fixed ones, follow from the others."""
        if not self._optimizer.derived:
            return
        for spec in self.specs:
            if spec.merge == "derived":
                views = self._steppable(arrays, spec.name)
                rows = slots if spec.per_feature else np.arange(len(views[0]))
                mlp_steps.derive(self._optimizer.code, self._parameters, rows, *views)


def _hidden(layer: int | HiddenLayer, model: MlpModel) -> Layer:
    """A hidden layer with the model's settings where it has none of its own."""
    if isinstance(layer, int):
        layer = HiddenLayer(units=layer)
    activation = model.activation if layer.activation is None else layer.activation
    dropout = model.dropout if layer.dropout is None else layer.dropout
    return Layer(layer.units, activations.CODES[activation], dropout)
