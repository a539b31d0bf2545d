"""Linear models: per output one weight for every feature, and an intercept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt

from flink_ol.core.families import (
    coordinate_steps,
    feature_rates,
    linear_gradient,
    standardised,
)
from flink_ol.core.families import linear_loops as loops
from flink_ol.core.families.linear_loops import Arrays, Rows, Settings
from flink_ol.core.families.setting import COORDINATE, Setting
from flink_ol.core.fields import Section
from flink_ol.core.optimizers import padded, repeated
from flink_ol.core.state import ArraySpec

_FIRST = np.zeros(1, np.int64)  # the only row of the intercept


@dataclass(frozen=True, kw_only=True)
class LinearModel(Section):
    """One weight per feature and output, and an intercept."""

    family: Literal["linear"] = "linear"
    l2: Annotated[float, Ge(0)] = 0.0
    """Adds l2 times the weight to the gradient of every feature of a sample."""
    l1: Annotated[float, Ge(0)] = 0.0
    """Moves the weights of a sample's features towards 0 by l1 times the rate, to 0 at most."""
    clip_value: Annotated[float, Gt(0)] | None = None
    """Largest size of every coordinate of a sample's gradient, before l2; null: none."""
    clip_norm: Annotated[float, Gt(0)] | None = None
    """Largest Euclidean norm of a sample's gradient, before l2; null: none."""


class Linear:
    """The linear family for one setting; holds no arrays."""

    def __init__(self, model: LinearModel, setting: Setting) -> None:
        optimizer = setting.optimizer
        intercept = setting.intercept_kind
        code, parameters = optimizer.schedule
        self._optimizer, self._outputs = optimizer, setting.outputs
        self._hash_bits = setting.hash_bits
        self._accumulators = tuple(name for name, _ in optimizer.accumulators)
        self._has_coordinate = intercept == COORDINATE
        self._settings = Settings(
            loss=setting.loss.code,
            loss_parameters=setting.loss.parameters,
            optimizer=optimizer.code,
            parameters=padded(optimizer.parameters),
            learning_rate=float(optimizer.learning_rate),
            intercept=intercept,
            intercept_rate=float(optimizer.intercept_rate or 0.0),
            l2=float(model.l2),
            l1=float(model.l1),
            clip_value=float(model.clip_value or 0.0),
            clip_norm=float(model.clip_norm or 0.0),
            schedule=code,
            schedule_parameters=padded(parameters),
            warm_up=float(optimizer.warm_up),
            scaled=setting.scaled,
            accumulators=len(optimizer.accumulators),
            whole_sample=optimizer.whole_sample,
        )
        self.specs = self._declare()

    def _declare(self) -> tuple[ArraySpec, ...]:
        shape, optimizer = (self._outputs,), self._optimizer
        weights = "derived" if optimizer.derived else "mean"
        intercept = weights if self._has_coordinate else "mean"
        specs = [
            ArraySpec("weights", shape, weights),
            ArraySpec("intercept", shape, intercept, per_feature=False),
        ]
        specs += (ArraySpec(name, shape, rule) for name, rule in optimizer.accumulators)
        if self._has_coordinate:
            specs += (
                ArraySpec(f"intercept_{name}", shape, rule, per_feature=False)
                for name, rule in optimizer.accumulators
            )
        if optimizer.numbered:
            # a mean like the moments that are corrected by it: parallel steps count in part
            specs.append(ArraySpec("optimizer_steps", (1,), "mean", per_feature=False))
        if optimizer.whole_sample:
            specs.append(ArraySpec("norms", (self._outputs, 2), "sum", per_feature=False))
        specs += feature_rates.declared(optimizer, self._hash_bits)
        return tuple(specs)

    def _arrays(self, arrays: Mapping[str, np.ndarray]) -> Arrays:
        """Views for the loops; those not in use are empty, so that types never change."""
        none = np.zeros((0, self._outputs))
        first, second = [*(arrays[name] for name in self._accumulators), none, none][:2]
        row = (1, self._outputs)
        beside = [np.zeros(row), np.zeros(row)]
        if self._has_coordinate:
            beside[: len(self._accumulators)] = [
                arrays[f"intercept_{name}"].reshape(row) for name in self._accumulators
            ]
        return Arrays(
            arrays["weights"],
            first,
            second,
            arrays["intercept"].reshape(row),
            beside[0],
            beside[1],
            arrays["scaler"] if self._settings.scaled else np.zeros((0, 3)),
            arrays["steps"],
            arrays["optimizer_steps"] if self._optimizer.numbered else np.zeros(1),
            arrays["norms"] if self._optimizer.whole_sample else np.zeros((0, 2)),
            arrays["rates"] if self._optimizer.feature_rates else np.zeros((0, 1)),
        )

    def learn(self, arrays: Mapping[str, np.ndarray], rows: Rows, rate_scale: float) -> np.ndarray:
        """Score and learn sample by sample, in place: raw scores (samples, outputs)."""
        scores = np.empty((len(rows.labels), self._outputs))
        loops.learn(self._at(rate_scale), rows, self._arrays(arrays), scores)
        return scores

    def _at(self, rate_scale: float) -> Settings:
        """The settings with rates for several workers."""
        settings = self._settings
        if not self._optimizer.scales_with_workers or rate_scale == 1.0:
            return settings
        return settings._replace(
            parameters=repeated(settings.parameters, rate_scale),
            learning_rate=settings.learning_rate * rate_scale,
            intercept_rate=settings.intercept_rate * rate_scale,
        )

    def gradient(
        self, arrays: Mapping[str, np.ndarray], rows: Rows, ranks: np.ndarray, touched: np.ndarray
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Raw scores (samples, outputs) and the summed gradients by array; changes nothing.

        ``touched``: the distinct slots of ``rows``, the rows of what is per feature; ``ranks``
        (entries,): an entry's index among them.
        """
        scores = np.empty((len(rows.labels), self._outputs))
        of_weights = np.zeros((len(touched), self._outputs))
        of_intercept = np.zeros((1, self._outputs))
        values = standardised.standing(arrays, rows, self._settings.scaled)
        intercept = arrays["intercept"].reshape(of_intercept.shape)
        at = arrays["weights"], intercept
        sums = scores, of_weights, of_intercept
        linear_gradient.gradient(self._settings, rows, values, ranks, *at, *sums)
        return scores, {"weights": of_weights, "intercept": of_intercept[0]}

    def step(
        self,
        arrays: Mapping[str, np.ndarray],
        slots: np.ndarray,
        gradients: Mapping[str, np.ndarray],
        rate_scale: float,
    ) -> None:
        """One step of the rows ``slots`` and the intercept along ``gradients``, in place."""
        settings, views = self._at(rate_scale), self._arrays(arrays)
        schedule = settings.schedule, settings.schedule_parameters, settings.warm_up
        factor = coordinate_steps.rate_factor(*schedule, int(views.steps[0]))
        views.optimizer_steps[0] += 1.0
        head = settings.optimizer, settings.parameters, settings.accumulators
        pace = settings.learning_rate * factor, float(views.optimizer_steps[0])
        penalties = settings.l2, settings.l1
        weights = views.weights, views.first, views.second
        coordinate_steps.step(
            head, slots, gradients["weights"], *penalties, views.rates, *pace, *weights
        )
        how = settings.intercept, settings.intercept_rate
        intercept = views.intercept, views.intercept_first, views.intercept_second
        coordinate_steps.step_intercept(*how, head, gradients["intercept"], pace, intercept)

    def score(self, arrays: Mapping[str, np.ndarray], rows: Rows) -> np.ndarray:
        """Raw scores (samples, outputs) with everything as it stands."""
        scores = np.empty((len(rows.labels), self._outputs))
        loops.score(self._settings, rows, self._arrays(arrays), scores)
        return scores

    def derive(self, arrays: Mapping[str, np.ndarray], slots: np.ndarray) -> None:
        """Make the rows ``slots`` of derived arrays, and fixed ones, follow from the others."""
        if not self._optimizer.derived:
            return
        views, settings = self._arrays(arrays), self._settings
        kind = settings.optimizer, settings.parameters
        loops.derive(*kind, views.weights, views.first, views.second, slots)
        if self._has_coordinate:
            of_intercept = views.intercept, views.intercept_first, views.intercept_second
            loops.derive(*kind, *of_intercept, _FIRST)
