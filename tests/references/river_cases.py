"""What River and we both learn: streams that come inside packages, times optimizers.

Imported by the script that makes the references, under River's Python, and by the test that holds
us to them, under ours: so nothing but the standard library, numpy and scikit-learn's data.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from sklearn import datasets

from jobs import flights

_SEED = 7
_FLIGHTS = 3_000

Row = dict[str, float | str]  # a text is a categorical feature


class Stream(NamedTuple):
    """Samples in the order to learn them in."""

    task: str  # binary, multiclass or regression
    classes: int  # 0 unless multiclass
    rows: list[Row]
    labels: list[float]  # class indices or targets

    @property
    def digest(self) -> str:
        """SHA-256 of everything, to the last bit of every number."""
        return hashlib.sha256(json.dumps([self.rows, self.labels]).encode()).hexdigest()


class Case(NamedTuple):
    """One stream learned with one optimizer."""

    stream: str
    optimizer: str
    scaled: bool  # raw values by a running standardisation; else values in [-1, 1] as they are

    @property
    def name(self) -> str:
        """As the references have it."""
        return f"{self.stream} {self.optimizer} {'standard' if self.scaled else 'none'}"


# Our names of the parameters, in the order of River's constructors. Momentum and nesterov at a
# tenth, as they go ten times as far; where the meaning of eps differs, it is next to nothing.
OPTIMIZERS: dict[str, dict[str, float]] = {
    "sgd": {"learning_rate": 0.01},
    "adagrad": {"learning_rate": 0.1, "eps": 1e-8},
    "ftrl": {"alpha": 0.1, "beta": 1.0, "l1": 0.05, "l2": 1.0},
    "momentum": {"learning_rate": 0.001, "momentum": 0.9},
    "nesterov": {"learning_rate": 0.001, "momentum": 0.9},
    "rmsprop": {"learning_rate": 0.01, "decay": 0.9, "eps": 1e-300},
    "adam": {"learning_rate": 0.01, "beta_1": 0.9, "beta_2": 0.999, "eps": 1e-300},
}
INTERCEPT_RATE = 0.01  # plain gradient descent, whatever the optimizer; softmax has no intercept
STREAMS = ("breast_cancer", "flights", "wine", "digits", "diabetes")


def cases() -> Iterator[Case]:
    """All; digits, whose 640 weights take room, only with plain gradient descent."""
    for stream in STREAMS:
        for optimizer in OPTIMIZERS if stream != "digits" else ("sgd",):
            yield from (Case(stream, optimizer, scaled) for scaled in (True, False))


@cache
def stream(name: str, scaled: bool) -> Stream:
    """A stream by name; raw, or every column divided by its largest absolute value."""
    task, classes, rows, labels = _flights() if name == "flights" else _bundled(name)
    return Stream(task, classes, rows if scaled else _divided(rows), labels)


def _bundled(name: str) -> Stream:
    """A data set of scikit-learn, shuffled: some are sorted by class."""
    options: dict[str, Any] = {"scaled": False} if name == "diabetes" else {}
    values, labels = getattr(datasets, f"load_{name}")(return_X_y=True, **options)
    names = [str(column) for column in range(values.shape[1])]
    order = list(range(len(labels)))
    random.Random(_SEED).shuffle(order)
    classes = len(set(labels.tolist())) if name in ("wine", "digits") else 0
    task = "multiclass" if classes else "regression" if name == "diabetes" else "binary"
    rows: list[Row] = [dict(zip(names, values[i].tolist(), strict=True)) for i in order]
    return Stream(task, classes, rows, [float(labels[i]) for i in order])


def _flights() -> Stream:
    """The first flights of the year in order of departure: texts, numbers, absent values."""
    samples = [json.loads(line) for line in flights.read().samples[:_FLIGHTS]]
    rows: list[Row] = [
        {name: value if isinstance(value, str) else float(value) for name, value in s["x"].items()}
        for s in samples
    ]
    return Stream("binary", 0, rows, [float(s["y"]) for s in samples])


def _divided(rows: list[Row]) -> list[Row]:
    largest: dict[str, float] = {}
    for row in rows:
        for name, value in row.items():
            if isinstance(value, float):
                largest[name] = max(largest.get(name, 0.0), abs(value))
    return [
        {
            name: value / (largest[name] or 1.0) if isinstance(value, float) else value
            for name, value in row.items()
        }
        for row in rows
    ]
