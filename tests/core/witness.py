"""A second witness: the whole of learning once more, in plain Python, feature by feature.

Knows the conventions and nothing of the code under test but its settings.
"""

from __future__ import annotations

import math
from typing import Any

from flink_ol.core.config import (
    AdaGrad,
    Adam,
    AdamW,
    Adaptive,
    Cosine,
    Exponential,
    Ftrl,
    InverseScaling,
    Learning,
    Momentum,
    Nesterov,
    RmsProp,
    Sgd,
    Step,
)
from flink_ol.core.features.hashing import feature_key
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
        self.norms = [[0.0, 0.0] for _ in range(self.outputs)]  # squared norms, importance
        rates = getattr(learning.optimizer, "feature_learning_rates", {})
        self.rates = {feature_key(name): rate for name, rate in rates.items()}

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
        optimizer: Any = self.learning.optimizer
        model: Any = self.learning.model
        self.steps += 1
        if isinstance(optimizer, Adaptive):
            for o, gradient in enumerate(self._gradients(raw, label)):
                self._adaptive(optimizer, o, scaled, raw[o], label, importance, gradient)
            return
        gradients = [g * importance for g in self._gradients(raw, label)]
        ones = [1.0] if self.learning.features.intercept else []
        norm = math.sqrt(
            math.fsum((g * x) ** 2 for g in gradients for x in [*ones, *(x for _, x in scaled)])
        )
        if model.clip_norm and norm > model.clip_norm:
            gradients = [g * model.clip_norm / norm for g in gradients]
        most = model.clip_value or math.inf
        for o, gradient in enumerate(gradients):
            if self.learning.features.intercept:
                rate = optimizer.intercept_learning_rate
                own = max(-most, min(most, gradient))
                if rate is None:
                    self.intercept[o] = self._step(None, o, self.intercept[o], own, scale)
                else:
                    self.intercept[o] -= rate * (scale if scales(optimizer) else 1.0) * own
            for key, x in scaled:
                weight = self.weights[key][o]
                whole = max(-most, min(most, gradient * x)) + model.l2 * weight
                weight = self._step(key, o, weight, whole, scale)
                if model.l1:
                    shrink = model.l1 * self._rate(optimizer, key, scale)
                    weight = math.copysign(max(0.0, abs(weight) - shrink), weight)
                self.weights[key][o] = weight

    def _adaptive(
        self,
        optimizer: Adaptive,
        o: int,
        scaled: list[tuple[int, float]],
        raw: float,
        label: float,
        importance: float,
        gradient: float,
    ) -> None:
        """Vowpal Wabbit's update, with Lambert's W solved by bisection."""
        if gradient == 0.0:
            return
        entries: list[tuple[int | None, float]] = [(k, x) for k, x in scaled if x]
        if self.learning.features.intercept:
            entries.insert(0, (None, 1.0))
        p, rates, norm, change = optimizer.power_t, [], 0.0, 0.0
        for key, x in entries:
            kept = self.kept.setdefault((key, o), {"squares": 0.0, "scales": 0.0})
            kept["squares"] += importance * gradient**2 * x**2
            if abs(x) > kept["scales"]:
                if kept["scales"] > 0.0:
                    self._move(key, o, factor=(kept["scales"] / abs(x)) ** (2 - 2 * p))
                kept["scales"] = abs(x)
            rates.append(kept["squares"] ** -p * kept["scales"] ** (2 * p - 2))
            norm += (x / kept["scales"]) ** 2
            change += x**2 * rates[-1]
        self.norms[o][0] += importance * norm
        self.norms[o][1] += importance
        if not entries:
            return
        mean = (self.norms[o][0] / self.norms[o][1]) ** (p - 1)
        change *= mean
        scale = optimizer.learning_rate * importance
        loss = self.learning.chosen_loss.name
        if loss == "squared":
            size = (label - raw) * (1 - math.exp(-2 * scale * change)) / change
        elif loss == "logistic":
            y = 2 * label - 1
            total = scale * change + y * raw + math.exp(y * raw)
            low, high = -800.0, 800.0  # of the logarithm of W(e^total)
            for _ in range(200):
                middle = (low + high) / 2
                low, high = (middle, high) if math.exp(middle) + middle < total else (low, middle)
            size = y * (low - y * raw) / change
        else:
            size = -gradient * scale
        for (key, x), rate in zip(entries, rates, strict=True):
            self._move(key, o, by=size * mean * x * rate)

    def _move(self, key: int | None, o: int, factor: float = 1.0, by: float = 0.0) -> None:
        vector = self.intercept if key is None else self.weights[key]
        vector[o] = vector[o] * factor + by

    def _gradients(self, raw: list[float], label: float) -> list[float]:
        loss = self.learning.chosen_loss
        error, side = raw[0] - label, 2.0 * label - 1.0
        if loss.name == "hinge":
            return [-side if side * raw[0] < 1 else 0.0]
        if loss.name == "squared_hinge":
            return [-2.0 * side * max(0.0, 1.0 - side * raw[0])]
        if loss.name == "huber":
            return [max(-loss.parameters[0], min(loss.parameters[0], error))]
        if loss.name == "epsilon_insensitive":
            return [math.copysign(1.0, error) if abs(error) > loss.parameters[0] else 0.0]
        if loss.name == "quantile":
            return [float(error > 0) - loss.parameters[0]]
        if loss.name == "poisson":
            return [math.exp(raw[0]) - label]
        if self.learning.task == "regression":
            return [2.0 * (raw[0] - label)]
        if self.learning.task == "binary":
            return [1.0 / (1.0 + math.exp(-raw[0])) - label]
        powers = [math.exp(r - max(raw)) for r in raw]
        return [p / math.fsum(powers) - (c == label) for c, p in enumerate(powers)]

    def _step(self, key: int | None, o: int, weight: float, g: float, scale: float) -> float:
        optimizer: Any = self.learning.optimizer
        names = ("squares", "z", "n", "velocity", "mean_square", "mean_gradient")
        kept = self.kept.setdefault((key, o), dict.fromkeys(names, 0.0))
        rate = 0.0 if isinstance(optimizer, Ftrl) else self._rate(optimizer, key, scale)
        if isinstance(optimizer, Sgd):
            return weight - rate * g
        if isinstance(optimizer, Momentum | Nesterov):
            kept["velocity"] = optimizer.momentum * kept["velocity"] + g
            ahead = g + optimizer.momentum * kept["velocity"]
            return weight - rate * (ahead if isinstance(optimizer, Nesterov) else kept["velocity"])
        if isinstance(optimizer, RmsProp):
            kept["mean_square"] += (1 - optimizer.decay) * (g * g - kept["mean_square"])
            return weight - rate * g / (math.sqrt(kept["mean_square"]) + optimizer.eps)
        if isinstance(optimizer, Adam | AdamW):
            kept["mean_gradient"] += (1 - optimizer.beta_1) * (g - kept["mean_gradient"])
            kept["mean_square"] += (1 - optimizer.beta_2) * (g * g - kept["mean_square"])
            mean = kept["mean_gradient"] / (1 - optimizer.beta_1**self.steps)
            square = kept["mean_square"] / (1 - optimizer.beta_2**self.steps)
            decay = optimizer.weight_decay if isinstance(optimizer, AdamW) else 0.0
            return weight - rate * (decay * weight + mean / (math.sqrt(square) + optimizer.eps))
        if isinstance(optimizer, AdaGrad):
            kept["squares"] += scale * g * g
            root = math.sqrt(kept["squares"] + optimizer.eps)
            return weight - rate * g / root
        assert isinstance(optimizer, Ftrl)
        if optimizer.refresh == "late" and abs(kept["z"]) > optimizer.l1:
            weight = self._ftrl_weight(optimizer, kept)
        squares = scale * g * g
        sigma = (math.sqrt(kept["n"] + squares) - math.sqrt(kept["n"])) / optimizer.alpha
        kept["z"] += scale * g - sigma * weight
        kept["n"] += squares
        return weight if optimizer.refresh == "late" else self._ftrl_weight(optimizer, kept)

    @staticmethod
    def _ftrl_weight(optimizer: Ftrl, kept: dict[str, float]) -> float:
        z, n = kept["z"], kept["n"]
        if abs(z) <= optimizer.l1:
            return 0.0
        shrunk = z - optimizer.l1 if z > 0 else z + optimizer.l1
        return -shrunk / ((optimizer.beta + math.sqrt(n)) / optimizer.alpha + optimizer.l2)

    def _rate(self, optimizer: Any, key: int | None, scale: float) -> float:
        t, schedule = self.steps - 1, optimizer.schedule
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
        rising = min(1.0, (t + 1) / optimizer.warm_up) if optimizer.warm_up else 1.0
        rate = (
            optimizer.learning_rate if key is None else self.rates.get(key, optimizer.learning_rate)
        )
        return float(rate * factor * rising * (scale if scales(optimizer) else 1.0))


def scales(optimizer: Any) -> bool:
    """Whether the rate scale of several workers concerns the optimizer."""
    return not isinstance(optimizer, Adaptive)
