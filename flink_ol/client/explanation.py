"""Why a model answers as it does: its strongest features, and what each gives to one answer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from flink_ol.client.model import Model
from flink_ol.core.samples import Samples

_ORDERS: dict[str, int] = {"linear": 1, "fm": 2}  # of the score as a polynomial of the features


class Effect(NamedTuple):
    """What a feature does by itself."""

    name: str
    weight: float  # of one standard deviation where numbers are standardised, else of one unit
    per_unit: float | None  # of one unit of a standardised number; None of other features


class Contributions(NamedTuple):
    """What made the raw scores of one sample: their sum, but for rounding."""

    scores: np.ndarray  # (outputs,) before the link: log-odds, logits, value
    intercept: np.ndarray  # (outputs,)
    names: list[str]  # of the features as they stand in the sample
    known: list[bool]  # whether the model has met the feature
    values: np.ndarray  # (features,)
    contributions: np.ndarray  # (features, outputs); interactions halved between their two


def outputs(model: Model) -> list[str]:
    """What the columns of weights and contributions are: labels of several classes, or one ""."""
    if model.learning.task != "multiclass":
        return [""]
    return [str(label) for label in model.classes.tolist()]


def effects(model: Model) -> dict[str, list[Effect]]:
    """By output, its features from the strongest weight to the weakest. Raises ValueError.

    In a model of standardised numbers the weights can be compared with each other as they are:
    each is what one deviation of its feature adds to the raw score.
    """
    _check(model)
    weights = model.snapshot.frame.arrays["weights"].reshape(len(model.feature_names), -1)
    statistics = model.scaler
    deviations = {name: math.sqrt(of["variance"]) for name, of in statistics.items()}
    found = {}
    for column, output in enumerate(outputs(model)):
        pairs = zip(model.feature_names, weights[:, column].tolist(), strict=True)
        ranked = sorted(pairs, key=lambda pair: (-abs(pair[1]), pair[0]))
        found[output] = [
            Effect(name, weight, weight / deviations[name] if deviations.get(name) else None)
            for name, weight in ranked
        ]
    return found


def contributions(model: Model, sample: Samples) -> Contributions:
    """Of the only row of ``sample``; ValueError for a family that has none.

    Features are taken away and the sample scored again, so it is the model's own arithmetic that
    is told. What a feature adds when it is alone, and what is missing without it, have the mean
    weight + half of its interactions: exact for models of second order.
    """
    _check(model)
    sample = model.filled(sample)
    count = len(sample.keys)
    alone = np.eye(count, dtype=np.bool_)
    all_or_none = np.array([[True], [False]]).repeat(count, axis=1)
    scores = model.raw_scores(_choices(sample, np.concatenate([all_or_none, alone, ~alone])))
    whole, intercept = scores[0], scores[1]
    added, missing = scores[2 : 2 + count] - intercept, whole - scores[2 + count :]
    return Contributions(
        whole,
        intercept,
        [sample.names.get(key) or model.name_of(key) for key in sample.keys.tolist()],
        model.knows(sample.keys).tolist(),
        sample.values,
        added if _ORDERS[model.learning.model.family] == 1 else (added + missing) / 2.0,
    )


def collisions(model: Model) -> Mapping[str, Any]:
    """With hash_bits, how many names share an index, estimated and measured; empty without.

    Measured among the names kept with the model (``kept``): ``meeting`` of them share an index.

    m of M indices in use tell of n = ln(1 - m/M) / ln(1 - 1/M) names (linear counting, Whang,
    Vander-Zanden, Taylor 1990), of which a share of 1 - (1 - 1/M)^(n - 1) has not its own index.
    """
    bits = model.learning.features.hash_bits
    if bits is None:
        return {}
    several = model.snapshot.others.values()
    measured = {
        "kept": len(model.snapshot.names) + sum(map(len, several)),
        "meeting": sum(1 + len(names) for names in several),
    }
    places, used = 2**bits, len(model.feature_names)
    said = {"hash_bits": bits, "indices": used, **measured}
    if used == places:
        return {**said, "names": None, "shared": 1.0}
    names = math.log1p(-used / places) / math.log1p(-1.0 / places) if places > 1 else 0.0
    shared = -math.expm1(max(0.0, names - 1.0) * math.log1p(-1.0 / places))
    return {**said, "names": round(names), "shared": shared}


def _check(model: Model) -> None:
    family = model.learning.model.family
    if family not in _ORDERS:
        raise ValueError(
            f"a model of the family {family} has no weights of features that add up to its "
            f"scores: only {' and '.join(_ORDERS)} models can be explained"
        )


def _choices(sample: Samples, chosen: np.ndarray) -> Samples:
    """A row for each of ``chosen`` (rows, features) bool: the sample with these features only."""
    _, entries = np.nonzero(chosen)
    count = len(chosen)
    return Samples(
        np.concatenate(([0], np.cumsum(chosen.sum(axis=1)))).astype(np.int64),
        sample.keys[entries],
        sample.values[entries],
        sample.numeric[entries],
        np.full(count, np.nan),
        np.ones(count),
        np.arange(count, dtype=np.int64),
        sample.names,
    )
