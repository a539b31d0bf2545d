"""The streams of the exercises: seeded, so that everybody gets the same bytes.

    python -m jobs.exercises.streams iris | flink-ol feed jobs/exercises/iris.yaml -

Every exercise has samples to learn from and samples held out, which are never learned from.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import orjson

IRIS_PASSES = 20
NOISE = 0.1  # standard deviation of what no linear model can know
_HELD_OUT = 1_000
_BLOCK = 1_000  # samples drawn at once

Sample = dict[str, Any]


class Exercise(NamedTuple):
    """What to learn from, and what to judge the model by."""

    training: Iterator[Sample]  # {"x": features, "y": label}
    held_out: list[Sample]


def iris() -> Exercise:
    """Three kinds of iris by four measures in cm (R. A. Fisher 1936, as scikit-learn has it).

    120 flowers, again and again in a new order; the other 30, ten of a kind, are held out.
    """
    from sklearn.datasets import load_iris

    data = load_iris()
    kinds = data.target_names[data.target].tolist()
    samples = [
        {"x": dict(zip(_MEASURES, row, strict=True)), "y": kind}
        for row, kind in zip(data.data.tolist(), kinds, strict=True)
    ]
    rng = np.random.default_rng(0)
    # the 150 lie sorted by kind, 50 of each
    order = np.concatenate([50 * kind + rng.permutation(50) for kind in range(3)]).reshape(3, 50)
    held_out = [samples[i] for i in order[:, :10].ravel()]
    rest = order[:, 10:].ravel()
    training = (samples[i] for _ in range(IRIS_PASSES) for i in rng.permutation(rest))
    return Exercise(training, held_out)


_MEASURES = ("sepal_length", "sepal_width", "petal_length", "petal_width")


def linear(count: int, features: int) -> Exercise:
    """``count`` samples of y = 3 + w.x + noise, x and w standard normal."""
    held_out = [sample for block in _blocks(_HELD_OUT, features, 2) for sample in block]
    training = (sample for block in _blocks(count, features, 1) for sample in block)
    return Exercise(training, held_out)


def linear_weights(features: int) -> np.ndarray:
    """The weights (features,) that a model should find."""
    return np.random.default_rng([features, 0]).normal(size=features)


def _blocks(count: int, features: int, part: int) -> Iterator[list[Sample]]:
    rng = np.random.default_rng([features, part])
    weights = linear_weights(features)
    for start in range(0, count, _BLOCK):
        size = min(_BLOCK, count - start)
        x = rng.normal(size=(size, features)).round(4)
        y = (3.0 + x @ weights + NOISE * rng.normal(size=size)).round(4)
        yield [{"x": row, "y": target} for row, target in zip(x.tolist(), y.tolist(), strict=True)]


EXERCISES: dict[str, Callable[[], Exercise]] = {
    "iris": iris,
    "linear_1000x100": partial(linear, 1_000, 100),
    "linear_10000x1000": partial(linear, 10_000, 1_000),
    "four_workers": partial(linear, 10_000, 10),
}


def main() -> None:
    """Write one stream to standard output, one JSON object a line."""
    parser = argparse.ArgumentParser(prog="python -m jobs.exercises.streams")
    parser.add_argument("exercise", choices=EXERCISES)
    for sample in EXERCISES[parser.parse_args().exercise]().training:
        sys.stdout.buffer.write(orjson.dumps(sample) + b"\n")


if __name__ == "__main__":
    main()
