"""Factorization machines of second order: a linear model, and a weight for every pair of features.

Rendle 2010: the weight of a pair is the inner product of the two features' factors, so pairs that
were never seen together have one too. With several outputs there is one machine for each.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt, Le

from flink_ol.core.families import coordinate_steps, feature_rates, fm_gradient, standardised
from flink_ol.core.families import fm_loops as loops
from flink_ol.core.families import linear_loops as linear
from flink_ol.core.families.fm_loops import Arrays, Settings
from flink_ol.core.families.initial import Drawn, first_of
from flink_ol.core.families.linear_loops import Rows
from flink_ol.core.families.setting import COORDINATE, Setting
from flink_ol.core.fields import Section
from flink_ol.core.optimizers import padded, repeated
from flink_ol.core.state import ArraySpec

_NONE = np.zeros((0, 1))
_FIRST = np.zeros(1, np.int64)  # the only row of the intercept


@dataclass(frozen=True, kw_only=True)
class FmModel(Section):
    """A factorization machine of second order."""

    family: Literal["fm"] = "fm"
    factors: Annotated[int, Ge(1), Le(1024)] = 8
    """Length of every feature's vector of factors."""
    initial_deviation: Annotated[float, Gt(0)] = 0.01
    """Standard deviation of the factors of a feature that is met for the first time."""
    l2: Annotated[float, Ge(0)] = 0.0
    """Adds l2 times the weight to the gradient of every feature of a sample."""
    factors_l2: Annotated[float, Ge(0)] = 0.0
    """The same for the factors."""
    factors_learning_rate: Annotated[float, Gt(0)] | None = None
    """Rate of the factors; null: that of the weights. FTRL has its own."""


class Fm:
    """The factorization machine for one setting; holds no arrays."""

    def __init__(self, model: FmModel, setting: Setting) -> None:
        optimizer = setting.optimizer
        intercept = setting.intercept_kind
        code, parameters = optimizer.schedule
        self._optimizer, self._outputs = optimizer, setting.outputs
        self._accumulators = tuple(name for name, _ in optimizer.accumulators)
        self._has_coordinate = intercept == COORDINATE
        self._settings = Settings(
            loss=setting.loss.code,
            loss_parameters=setting.loss.parameters,
            optimizer=optimizer.code,
            parameters=padded(optimizer.parameters),
            learning_rate=float(optimizer.learning_rate),
            factors_rate=float(model.factors_learning_rate or optimizer.learning_rate),
            intercept=intercept,
            intercept_rate=float(optimizer.intercept_rate or 0.0),
            l2=float(model.l2),
            factors_l2=float(model.factors_l2),
            schedule=code,
            schedule_parameters=padded(parameters),
            warm_up=float(optimizer.warm_up),
            scaled=setting.scaled,
            accumulators=len(optimizer.accumulators),
        )
        # uniform with the deviation wanted: unlike normal numbers the same bits on every machine
        limit = model.initial_deviation * math.sqrt(3.0)
        drawn = Drawn(setting.seed, 0, 0, self._outputs * model.factors, limit)
        self.specs = self._declare(drawn, setting.hash_bits)

    def _declare(self, drawn: Drawn, hash_bits: int | None) -> tuple[ArraySpec, ...]:
        shape, optimizer = (self._outputs,), self._optimizer
        rule = "derived" if optimizer.derived else "mean"
        of_intercept = rule if self._has_coordinate else "mean"
        specs = [
            ArraySpec("weights", shape, rule),
            ArraySpec("factors", (drawn.units,), rule, initial=drawn),
            ArraySpec("intercept", shape, of_intercept, per_feature=False),
        ]
        for name, merge in optimizer.accumulators:
            first = first_of(optimizer, name, drawn)
            specs.append(ArraySpec(name, shape, merge))
            specs.append(ArraySpec(f"factors_{name}", (drawn.units,), merge, initial=first))
            if self._has_coordinate:
                specs.append(ArraySpec(f"intercept_{name}", shape, merge, per_feature=False))
        if optimizer.numbered:
            specs.append(ArraySpec("optimizer_steps", (1,), "mean", per_feature=False))
        specs += feature_rates.declared(optimizer, hash_bits)
        return tuple(specs)

    def _arrays(self, arrays: Mapping[str, np.ndarray]) -> Arrays:
        """Views for the loops; those not in use are empty, so that types never change."""
        row = (1, self._outputs)
        beside_intercept = np.zeros(row), np.zeros(row)
        if self._has_coordinate:
            first, second = self._beside(arrays, "intercept_", np.zeros(row))
            beside_intercept = first.reshape(row), second.reshape(row)
        return Arrays(
            arrays["weights"],
            *self._beside(arrays, ""),
            arrays["factors"],
            *self._beside(arrays, "factors_"),
            arrays["intercept"].reshape(row),
            *beside_intercept,
            arrays["steps"],
            arrays["optimizer_steps"] if self._optimizer.numbered else np.zeros(1),
            arrays["rates"] if self._optimizer.feature_rates else np.zeros((0, 1)),
        )

    def _beside(
        self, arrays: Mapping[str, np.ndarray], prefix: str, none: np.ndarray = _NONE
    ) -> tuple[np.ndarray, np.ndarray]:
        first, second = [*(arrays[prefix + name] for name in self._accumulators), none, none][:2]
        return first, second

    def learn(self, arrays: Mapping[str, np.ndarray], rows: Rows, rate_scale: float) -> np.ndarray:
        """Score and learn sample by sample, in place: raw scores (samples, outputs)."""
        settings = self._at(rate_scale)
        scores = np.empty((len(rows.labels), self._outputs))
        before, after = standardised.learned(arrays, rows, settings.scaled)
        loops.learn(settings, rows, before, after, self._arrays(arrays), scores)
        return scores

    def _at(self, rate_scale: float) -> Settings:
        """The settings with rates for several workers."""
        settings = self._settings
        if not self._optimizer.scales_with_workers or rate_scale == 1.0:
            return settings
        return settings._replace(
            parameters=repeated(settings.parameters, rate_scale),
            learning_rate=settings.learning_rate * rate_scale,
            factors_rate=settings.factors_rate * rate_scale,
            intercept_rate=settings.intercept_rate * rate_scale,
        )

    def gradient(
        self, arrays: Mapping[str, np.ndarray], rows: Rows, ranks: np.ndarray, touched: np.ndarray
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Raw scores (samples, outputs) and the summed gradients by array; changes nothing.

        ``touched``: the distinct slots of ``rows``, the rows of what is per feature; ``ranks``
        (entries,): an entry's index among them.
        """
        views = self._arrays(arrays)
        scores = np.empty((len(rows.labels), self._outputs))
        of_weights = np.zeros((len(touched), self._outputs))
        of_factors = np.zeros((len(touched), views.factors.shape[1]))
        of_intercept = np.zeros((1, self._outputs))
        values = standardised.standing(arrays, rows, self._settings.scaled)
        sums = of_weights, of_factors, of_intercept
        fm_gradient.gradient(self._settings, rows, values, ranks, views, scores, *sums)
        return scores, {
            "weights": of_weights,
            "factors": of_factors,
            "intercept": of_intercept[0],
        }

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
        rate, number = settings.learning_rate * factor, float(views.optimizer_steps[0])
        rates = views.rates

        weights = views.weights, views.first, views.second
        along = gradients["weights"], settings.l2, 0.0
        coordinate_steps.step(head, slots, *along, rates, rate, number, *weights)
        factors = views.factors, views.factors_first, views.factors_second
        along = gradients["factors"], settings.factors_l2, 0.0
        own = settings.factors_rate * factor
        coordinate_steps.step(head, slots, *along, rates, own, number, *factors)
        how = settings.intercept, settings.intercept_rate
        intercept = views.intercept, views.intercept_first, views.intercept_second
        pace = rate, number
        coordinate_steps.step_intercept(*how, head, gradients["intercept"], pace, intercept)

    def score(self, arrays: Mapping[str, np.ndarray], rows: Rows) -> np.ndarray:
        """Raw scores (samples, outputs) with everything as it stands."""
        scores = np.empty((len(rows.labels), self._outputs))
        values = standardised.standing(arrays, rows, self._settings.scaled)
        loops.score(rows, values, self._arrays(arrays), scores)
        return scores

    def derive(self, arrays: Mapping[str, np.ndarray], slots: np.ndarray) -> None:
        """Make the rows ``slots`` of derived arrays, and fixed ones, follow from the others."""
        if not self._optimizer.derived:
            return
        views = self._arrays(arrays)
        self._derive(views.weights, views.first, views.second, slots)
        self._derive(views.factors, views.factors_first, views.factors_second, slots)
        if self._has_coordinate:
            beside = views.intercept_first, views.intercept_second
            self._derive(views.intercept, *beside, _FIRST)

    def _derive(
        self, array: np.ndarray, first: np.ndarray, second: np.ndarray, slots: np.ndarray
    ) -> None:
        settings = self._settings
        linear.derive(settings.optimizer, settings.parameters, array, first, second, slots)
