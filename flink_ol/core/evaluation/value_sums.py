"""Regression, scored before learned: what is summed.

``errors`` (3, 4): of the model and its two baselines, samples scored, absolute errors, squared
errors, and what the loss asks for beside them: pinball loss or Poisson deviance, else 0.
``targets``: count, mean and squared deviations, for R2.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from flink_ol.core.evaluation.ranking import SMALLEST
from flink_ol.core.evaluation.sums import TARGETS, Sums


class Deviance(NamedTuple):
    """A measure of regression that belongs to one loss."""

    name: str = ""  # "pinball", "poisson_deviance" or none
    level: float = 0.5  # of the quantile


NO_DEVIANCE = Deviance()


def value_sums(
    values: np.ndarray,
    labels: np.ndarray,
    previous: float,
    baseline: np.ndarray,
    deviance: Deviance = NO_DEVIANCE,
) -> Sums:
    """Sums of one batch; counts its targets into ``baseline``: count and sum.

    ``values`` and ``labels`` (samples,) float64, ``previous`` the target before the batch (nan:
    none).
    """
    everyone = np.zeros(len(labels), np.int64)
    sums = value_sums_by_group(values, labels, previous, baseline, everyone, 1, deviance)
    baseline[0] += len(labels)
    baseline[1] += np.cumsum(labels)[-1] if len(labels) else 0.0
    return {name: array[0] for name, array in sums.items()}


def value_sums_by_group(
    values: np.ndarray,
    labels: np.ndarray,
    previous: float,
    baseline: np.ndarray,
    groups: np.ndarray,
    count: int,
    deviance: Deviance = NO_DEVIANCE,
) -> Sums:
    """The same with a leading axis of ``count`` groups; ``baseline`` stays.

    ``groups`` (samples,) int64 below ``count``.
    """
    before = np.concatenate([[previous], labels[:-1]]) if len(labels) else labels
    seen = baseline[0] + np.arange(len(labels))
    sums_before = baseline[1] + np.concatenate([[0.0], np.cumsum(labels)])[:-1]
    mean = np.full(len(labels), np.nan)
    np.divide(sums_before, seen, out=mean, where=seen > 0)
    errors = np.zeros((count, 3, 4))
    for i, answers in enumerate((values, before, mean)):
        # a model's number that is not finite must show; a baseline has seen nothing yet
        known = np.ones(len(labels), np.bool_) if i == 0 else ~np.isnan(answers)
        mine, answered, truth = groups[known], answers[known], labels[known]
        error = answered - truth
        for j, each in enumerate((None, np.abs(error), error * error)):
            errors[:, i, j] = np.bincount(mine, each, count)
        if deviance.name:
            errors[:, i, 3] = np.bincount(mine, _deviances(deviance, answered, truth), count)
    return {"errors": errors, TARGETS: _moments(labels, groups, count)}


def _moments(labels: np.ndarray, groups: np.ndarray, count: int) -> np.ndarray:
    """(groups, 3) count, mean and squared deviations."""
    sizes = np.bincount(groups, None, count).astype(np.float64)
    means = np.bincount(groups, labels, count) / np.maximum(sizes, 1.0)
    squares = np.bincount(groups, (labels - means[groups]) ** 2, count)
    return np.stack([sizes, means, squares], axis=1)


def _deviances(deviance: Deviance, answers: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(samples,) Koenker and Bassett 1978, or twice the log-likelihood ratio of Poisson counts."""
    if deviance.name == "pinball":
        short = labels - answers
        return np.maximum(deviance.level * short, (deviance.level - 1.0) * short)
    rates = np.maximum(answers, SMALLEST)
    ratios = np.divide(labels, rates, out=np.ones(len(labels)), where=labels > 0.0)
    return np.asarray(2.0 * (labels * np.log(ratios) - labels + rates))
