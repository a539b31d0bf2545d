"""Prequential evaluation: every sample is scored before it is learned from.

Kept as sums that add over disjoint samples, unweighted, beside the sums of two baselines:
``no_change`` answers with the label before (in the same partition) and is certain of it;
``majority`` answers with the most frequent label so far (the lowest index if several are), its
probabilities being the frequencies with one added to every count; ``running_mean`` is its
counterpart in regression. A baseline that has seen nothing yet is not scored.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from flink_ol.core.compiled import njit
from flink_ol.core.config import Learning
from flink_ol.core.merging import moments

Sums = dict[str, np.ndarray]

CLASS_BASELINES = ("no_change", "majority")
VALUE_BASELINES = ("no_change", "running_mean")

SUPPORT, PREDICTED, HITS = range(3)
_SMALLEST = 1e-15  # probabilities are kept this far from 0 and 1, as in River


def add_sums(ours: Mapping[str, np.ndarray], theirs: Mapping[str, np.ndarray]) -> Sums:
    """The sums of two disjoint sets of samples."""
    joined = {name: np.array(value) for name, value in ours.items()}
    for name, value in theirs.items():
        if name not in joined:
            joined[name] = np.array(value)
        elif name == "targets":
            joined[name] = moments(joined[name], value, 1.0)
        else:
            joined[name] = joined[name] + value
    return joined


def class_sums(
    probabilities: np.ndarray, labels: np.ndarray, previous: float, baseline: np.ndarray
) -> Sums:
    """Sums of one batch of a classification; counts its labels into ``baseline`` (classes,).

    ``probabilities`` (samples, classes) float64, ``labels`` (samples,) class indices as float64,
    ``previous`` the label before the batch (nan: none).
    """
    classes = probabilities.shape[1]
    counts = np.zeros((3, 3, classes), np.int64)
    losses = np.zeros((3, 2))
    _score_classes(np.ascontiguousarray(probabilities), labels, previous, baseline, counts, losses)
    sums: Sums = {}
    for i, prefix in enumerate(("", "no_change.", "majority.")):
        sums[prefix + "count"] = counts[i, 0].sum(keepdims=True)
        for j, name in enumerate(("support", "predicted", "hits")):
            sums[prefix + name] = counts[i, j]
        sums[prefix + "log_loss"] = losses[i, :1]
        sums[prefix + "brier"] = losses[i, 1:]
    return sums


@njit
def _log_loss(probability: float, complement: bool) -> float:
    """-log of a probability kept from 0 and 1, or of 1 minus it.

    Of two classes the positive one is clamped, whatever the label, as in River.
    """
    kept = min(max(probability, _SMALLEST), 1.0 - _SMALLEST)
    return -math.log(1.0 - kept if complement else kept)


@njit
def _score_classes(
    probabilities: np.ndarray,
    labels: np.ndarray,
    previous: float,
    baseline: np.ndarray,
    counts: np.ndarray,
    losses: np.ndarray,
) -> None:
    """Into ``counts`` (model and baselines, support/predicted/hits, classes) and ``losses``.

    ``losses`` (model and baselines, log loss/Brier). The Brier score of two classes is that of the
    positive one; of more, the sum over the classes.
    """
    classes = probabilities.shape[1]
    halved = 0.5 if classes == 2 else 1.0
    right, wrong = _log_loss(1.0, False), _log_loss(0.0, False)
    total, squares, most = 0.0, 0.0, 0
    for c in range(classes):
        total += baseline[c]
        squares += (baseline[c] + 1.0) ** 2
        if baseline[c] > baseline[most]:
            most = c
    for sample in range(len(labels)):
        label = int(labels[sample])
        own = probabilities[sample, label]
        answer, brier = 0, 1.0 - 2.0 * own
        for c in range(classes):
            p = probabilities[sample, c]
            brier += p * p
            if p > probabilities[sample, answer]:
                answer = c
        counts[0, SUPPORT, label] += 1
        counts[0, PREDICTED, answer] += 1
        counts[0, HITS, label] += label == answer
        complement = classes == 2 and label == 0
        losses[0, 0] += _log_loss(probabilities[sample, 1] if complement else own, complement)
        losses[0, 1] += halved * brier
        if previous == previous:  # not nan
            answer = int(previous)
            counts[1, SUPPORT, label] += 1
            counts[1, PREDICTED, answer] += 1
            counts[1, HITS, label] += label == answer
            losses[1, 0] += right if answer == label else wrong
            losses[1, 1] += 0.0 if answer == label else 2.0 * halved
        if total > 0.0:
            counts[2, SUPPORT, label] += 1
            counts[2, PREDICTED, most] += 1
            counts[2, HITS, label] += label == most
            own = (baseline[label] + 1.0) / (total + classes)
            losses[2, 0] += _log_loss(own, False)
            losses[2, 1] += halved * (1.0 - 2.0 * own + squares / (total + classes) ** 2)
        previous = labels[sample]
        squares += 2.0 * baseline[label] + 3.0
        baseline[label] += 1.0
        total += 1.0
        if baseline[label] > baseline[most] or (baseline[label] == baseline[most] and label < most):
            most = label


def value_sums(
    values: np.ndarray, labels: np.ndarray, previous: float, baseline: np.ndarray
) -> Sums:
    """Sums of one batch of a regression; counts its targets into ``baseline``: count and sum.

    ``values`` and ``labels`` (samples,) float64, ``previous`` the target before the batch (nan:
    none). ``targets`` are count, mean and squared deviations, for R2.
    """
    before = np.concatenate([[previous], labels[:-1]]) if len(labels) else labels
    count = baseline[0] + np.arange(len(labels))
    sums_before = baseline[1] + np.concatenate([[0.0], np.cumsum(labels)])
    mean = np.full(len(labels), np.nan)
    np.divide(sums_before[:-1], count, out=mean, where=count > 0)
    own_mean = labels.mean() if len(labels) else 0.0
    sums: Sums = {"targets": np.array([len(labels), own_mean, ((labels - own_mean) ** 2).sum()])}
    for prefix, answers in (("", values), ("no_change.", before), ("running_mean.", mean)):
        errors = answers - labels
        if prefix:
            errors = errors[~np.isnan(answers)]
        sums[prefix + "count"] = np.array([len(errors)])
        sums[prefix + "absolute_error"] = np.abs(errors).sum(keepdims=True)
        sums[prefix + "squared_error"] = (errors * errors).sum(keepdims=True)
    baseline[0] += len(labels)
    baseline[1] = sums_before[-1]
    return sums


def metrics(sums: Mapping[str, np.ndarray], learning: Learning) -> dict[str, Any]:
    """What the sums say: metrics of the model, ``baselines`` likewise, and ``scored`` samples.

    accuracy, f1 (of the positive class; macro over the classes seen for multiclass), log_loss,
    brier; or mae, rmse, r2. What is not defined yet is left out.
    """
    scored = int(sums["count"][0]) if "count" in sums else 0
    names = VALUE_BASELINES if learning.task == "regression" else CLASS_BASELINES
    return {
        **_metrics_of(sums, "", learning),
        "baselines": {name: _metrics_of(sums, name + ".", learning) for name in names},
        "scored": scored,
    }


def _metrics_of(
    sums: Mapping[str, np.ndarray], prefix: str, learning: Learning
) -> dict[str, float]:
    if learning.task == "regression":
        return _value_metrics(sums, prefix)
    return _class_metrics(sums, prefix, learning.task == "binary")


def _class_metrics(sums: Mapping[str, np.ndarray], prefix: str, binary: bool) -> dict[str, float]:
    if prefix + "count" not in sums or not (count := int(sums[prefix + "count"][0])):
        return {}
    support, predicted, hits = (sums[prefix + name] for name in ("support", "predicted", "hits"))
    seen = support + predicted > 0
    f1 = np.divide(2.0 * hits, support + predicted, out=np.zeros(len(hits)), where=seen)
    return {
        "accuracy": float(hits.sum() / count),
        "f1": float(f1[1] if binary else f1[seen].mean()),
        "log_loss": float(sums[prefix + "log_loss"][0] / count),
        "brier": float(sums[prefix + "brier"][0] / count),
    }


def _value_metrics(sums: Mapping[str, np.ndarray], prefix: str) -> dict[str, float]:
    if prefix + "count" not in sums or not (count := int(sums[prefix + "count"][0])):
        return {}
    squared = float(sums[prefix + "squared_error"][0])
    result = {
        "mae": float(sums[prefix + "absolute_error"][0] / count),
        "rmse": math.sqrt(squared / count),
    }
    if not prefix and (total := float(sums["targets"][2])) > 0.0:
        result["r2"] = 1.0 - squared / total
    return result
