"""Random samples to learn from: dense and sparse rows, categoricals, absent features."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from flink_ol.core.config import Learning
from flink_ol.core.features.hashing import feature_key
from flink_ol.core.samples import Samples

NAMED = "a feature of this name"
KEYS = np.array([feature_key(NAMED), -7, 2**62 + 5, 11, -(2**63), 0, 99, -1], np.int64)


def samples_of(
    rows: list[list[tuple[int, float, bool]]],
    labels: list[float],
    importance: list[float] | None = None,
    first_offset: int = 0,
) -> Samples:
    """Samples of ``rows`` of (key, value, numeric)."""
    entries = [entry for row in rows for entry in row]
    n = len(rows)
    return Samples(
        np.cumsum([0, *map(len, rows)], dtype=np.int64),
        np.array([key for key, _, _ in entries], np.int64),
        np.array([value for _, value, _ in entries], np.float64),
        np.array([numeric for _, _, numeric in entries], np.bool_),
        np.array(labels, np.float64),
        np.ones(n) if importance is None else np.array(importance, np.float64),
        np.arange(first_offset, first_offset + n, dtype=np.int64),
        {key: f"feature {key}" for key, _, _ in entries},
    )


def random_samples(
    learning: Learning, n: int, seed: int, weighted: bool = False, dense: bool = False
) -> Samples:
    """``n`` samples that something can be learned from; the same for the same arguments.

    Sparse rows hold a random part of the features, one of them constant, two of them categorical,
    one of them on a large offset, and now and then a key twice, as hashing makes it happen.
    """
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(len(KEYS), max(1, learning.class_count)))
    rows, labels = [], []
    for _ in range(n):
        values = rng.normal(size=len(KEYS))
        values[2] = 0.1
        values[3] = 1000.0 + values[3]
        values[6:] = 1.0
        here = np.arange(len(KEYS)) if dense else np.flatnonzero(rng.random(len(KEYS)) < 0.6)
        if not dense and len(here) and rng.random() < 0.1:
            here = np.append(here, here[0])
        rows.append([(int(KEYS[i]), float(values[i]), bool(i < 6)) for i in here])
        known = np.where(np.arange(len(KEYS)) == 3, values - 1000.0, values)[here]
        score = known @ truth[here] + 0.3 * rng.normal(size=truth.shape[1])
        if learning.task == "regression":
            labels.append(float(score[0] + 3.0))
        elif learning.task == "binary":
            labels.append(float(score[0] > 0))
        else:
            labels.append(float(np.argmax(score)))
    importance = rng.choice([0.5, 1.0, 2.0], size=n) if weighted else np.ones(n)
    return samples_of(rows, labels, list(importance))


def batches(samples: Samples, seed: int) -> list[Samples]:
    """``samples`` cut at random places."""
    cuts = np.random.default_rng(seed).choice(len(samples) + 1, size=5)
    edges = [0, *sorted(int(cut) for cut in cuts), len(samples)]
    return [samples.rows(a, b) for a, b in pairwise(edges)]
