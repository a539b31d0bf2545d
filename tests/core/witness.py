"""A second witness: the whole of learning once more, in plain Python, feature by feature.

Knows the conventions and nothing of the code under test but its settings.
"""

from __future__ import annotations

import math
from typing import Any

from flink_ol.core.config import (
    AdaGrad,
    Cosine,
    Exponential,
    Ftrl,
    InverseScaling,
    Learning,
    Sgd,
    Step,
)
from flink_ol.core.samples import Samples

EPSILON = 2.0**-52


class Witness:
    """Learns sample by sample; every array is a dictionary by feature key."""

    def __init__(self, learning: Learning) -> None:
        self.learning = learning
        self.outputs = learning.class_count if learning.task == "multiclass" else 1
        self.weights: dict[int, list[float]] = {}
        self.intercept = [0.0] * self.outputs
        # per feature and output whatever the optimizer keeps; None stands for the intercept
        self.kept: dict[tuple[int | None, int], dict[str, float]] = {}
        self.scaler: dict[int, list[float]] = {}  # count, mean, squared deviations
        self.steps = 0

    def learn(self, samples: Samples, rate_scale: float = 1.0) -> list[list[float]]:
        """Raw scores of the samples, each taken before learning from it."""
        scores = []
        for i in range(len(samples)):
            span = slice(int(samples.indptr[i]), int(samples.indptr[i + 1]))
            row = [
                (int(k), float(v), bool(numeric))
                for k, v, numeric in zip(
                    samples.keys[span], samples.values[span], samples.numeric[span], strict=True
                )
            ]
            scores.append(self.score(row))
            self._learn(row, float(samples.labels[i]), float(samples.importance[i]), rate_scale)
        return scores

    def score(self, row: list[tuple[int, float, bool]]) -> list[float]:
        return [
            self.intercept[o]
            + math.fsum(self.weights[k][o] * x for k, x in self._scaled(row) if k in self.weights)
            for o in range(self.outputs)
        ]

    def _scaled(self, row: list[tuple[int, float, bool]]) -> list[tuple[int, float]]:
        if self.learning.features.scale == "none":
            return [(k, v) for k, v, _ in row]
        return [(k, self._standardised(k, v) if numeric else v) for k, v, numeric in row]

    def _standardised(self, key: int, value: float) -> float:
        count, mean, deviations = self.scaler.get(key, [0.0, 0.0, 0.0])
        variance = deviations / count if count else 0.0
        if variance <= (64 * EPSILON * abs(mean)) ** 2:
            return 0.0
        return (value - mean) / math.sqrt(variance)

    def _learn(
        self, row: list[tuple[int, float, bool]], label: float, importance: float, scale: float
    ) -> None:
        scaled: list[tuple[int, float]] = []
        for key, value, numeric in row:
            self.weights.setdefault(key, [0.0] * self.outputs)
            if numeric and self.learning.features.scale == "standard":
                entry = self.scaler.setdefault(key, [0.0, 0.0, 0.0])
                entry[0] += 1
                old = entry[1]
                entry[1] += (value - old) / entry[0]
                entry[2] += (value - old) * (value - entry[1])
                # of a key that comes twice, each occurrence is scaled when it is counted
                scaled.append((key, self._standardised(key, value)))
            else:
                scaled.append((key, value))
        raw = [
            self.intercept[o] + math.fsum(self.weights[k][o] * x for k, x in scaled)
            for o in range(self.outputs)
        ]
        gradients = [g * importance for g in self._gradients(raw, label)]
        optimizer = self.learning.optimizer
        for o, gradient in enumerate(gradients):
            if self.learning.features.intercept:
                rate = optimizer.intercept_learning_rate
                if rate is None:
                    self.intercept[o] = self._step(None, o, self.intercept[o], gradient, scale)
                else:
                    factor = scale if isinstance(optimizer, Sgd) else 1.0
                    self.intercept[o] -= rate * factor * gradient
            for key, x in scaled:
                weight = self.weights[key][o]
                whole = gradient * x + self.learning.model.l2 * weight
                self.weights[key][o] = self._step(key, o, weight, whole, scale)
        self.steps += 1

    def _gradients(self, raw: list[float], label: float) -> list[float]:
        if self.learning.task == "regression":
            return [2.0 * (raw[0] - label)]
        if self.learning.task == "binary":
            return [1.0 / (1.0 + math.exp(-raw[0])) - label]
        powers = [math.exp(r - max(raw)) for r in raw]
        return [p / math.fsum(powers) - (c == label) for c, p in enumerate(powers)]

    def _step(self, key: int | None, o: int, weight: float, g: float, scale: float) -> float:
        optimizer: Any = self.learning.optimizer
        kept = self.kept.setdefault((key, o), {"squares": 0.0, "z": 0.0, "n": 0.0})
        if isinstance(optimizer, Sgd):
            return weight - self._rate(optimizer) * scale * g
        if isinstance(optimizer, AdaGrad):
            kept["squares"] += g * g
            root = math.sqrt(kept["squares"] + optimizer.eps)
            return weight - optimizer.learning_rate * g / root
        assert isinstance(optimizer, Ftrl)
        if optimizer.refresh == "late" and abs(kept["z"]) > optimizer.l1:
            weight = self._ftrl_weight(optimizer, kept)
        sigma = (math.sqrt(kept["n"] + g * g) - math.sqrt(kept["n"])) / optimizer.alpha
        kept["z"] += g - sigma * weight
        kept["n"] += g * g
        return weight if optimizer.refresh == "late" else self._ftrl_weight(optimizer, kept)

    @staticmethod
    def _ftrl_weight(optimizer: Ftrl, kept: dict[str, float]) -> float:
        z, n = kept["z"], kept["n"]
        if abs(z) <= optimizer.l1:
            return 0.0
        shrunk = z - optimizer.l1 if z > 0 else z + optimizer.l1
        return -shrunk / ((optimizer.beta + math.sqrt(n)) / optimizer.alpha + optimizer.l2)

    def _rate(self, sgd: Sgd) -> float:
        t, schedule = self.steps, sgd.schedule
        factor = 1.0
        if isinstance(schedule, InverseScaling):
            factor = (t + 1) ** -schedule.power
        elif isinstance(schedule, Exponential):
            factor = max(0.5 ** (t / schedule.half_life), schedule.floor)
        elif isinstance(schedule, Cosine):
            wave = (1 + math.cos(math.pi * min(t, schedule.samples) / schedule.samples)) / 2
            factor = schedule.floor + (1 - schedule.floor) * wave
        elif isinstance(schedule, Step):
            factor = schedule.factor ** (t // schedule.every)
        rising = min(1.0, (t + 1) / sgd.warm_up) if sgd.warm_up else 1.0
        return sgd.learning_rate * factor * rising
