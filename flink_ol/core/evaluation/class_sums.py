"""Classification, scored before learned: what is summed, in one compiled pass over a batch.

``counts`` (3, 3, classes) int64: of the model and its two baselines, per class how often it was
the label (support), the answer (predicted), and both (hits). ``losses`` (3, 2): log loss and Brier
score. ``calibration`` (3, 10): samples, sum of predictions and what came true by bins of a tenth,
of the positive class in binary tasks, else of the answered class. ``histogram`` (2, 512) int64,
binary tasks only: see core.evaluation.ranking.
"""

from __future__ import annotations

import math

import numpy as np

from flink_ol.core.compiled import njit
from flink_ol.core.evaluation.ranking import BINS, SMALLEST, bin_of
from flink_ol.core.evaluation.sums import Sums

SUPPORT, PREDICTED, HITS = range(3)
CALIBRATION_BINS = 10


def class_sums(
    probabilities: np.ndarray, labels: np.ndarray, previous: float, baseline: np.ndarray
) -> Sums:
    """Sums of one batch; counts its labels into ``baseline`` (classes,).

    ``probabilities`` (samples, classes) float64, ``labels`` (samples,) class indices as float64,
    ``previous`` the label before the batch (nan: none).
    """
    classes = probabilities.shape[1]
    counts = np.zeros((1, 3, 3, classes), np.int64)
    losses, calibration = np.zeros((1, 3, 2)), np.zeros((3, CALIBRATION_BINS))
    histogram = np.zeros((2, BINS if classes == 2 else 0), np.int64)
    everyone = np.zeros(len(labels), np.int64)
    _score(
        _plain(probabilities),
        _plain(labels),
        everyone,
        previous,
        baseline,
        counts,
        losses,
        calibration,
        histogram,
    )
    sums = {"counts": counts[0], "losses": losses[0], "calibration": calibration}
    return sums | {"histogram": histogram} if classes == 2 else sums


def class_sums_by_group(
    probabilities: np.ndarray,
    labels: np.ndarray,
    previous: float,
    baseline: np.ndarray,
    groups: np.ndarray,
    count: int,
) -> Sums:
    """``counts`` and ``losses`` with a leading axis of ``count`` groups; ``baseline`` stays.

    ``groups`` (samples,) int64 below ``count``.
    """
    counts = np.zeros((count, 3, 3, probabilities.shape[1]), np.int64)
    losses = np.zeros((count, 3, 2))
    _score(
        _plain(probabilities),
        _plain(labels),
        groups,
        previous,
        baseline.copy(),
        counts,
        losses,
        np.zeros((3, 0)),
        np.zeros((2, 0), np.int64),
    )
    return {"counts": counts, "losses": losses}


def _plain(array: np.ndarray) -> np.ndarray:
    """``array`` as the one type that the loop is compiled for (writable is part of it)."""
    return np.require(array, np.float64, ["C", "W"])


@njit
def _log_loss(probability: float, complement: bool) -> float:
    """-log of a probability kept from 0 and 1, or of 1 minus it.

    Of two classes the positive one is clamped, whatever the label, as in River.
    """
    kept = min(max(probability, SMALLEST), 1.0 - SMALLEST)
    return -math.log(1.0 - kept if complement else kept)


@njit
def _score(
    probabilities: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    previous: float,
    baseline: np.ndarray,
    counts: np.ndarray,
    losses: np.ndarray,
    calibration: np.ndarray,
    histogram: np.ndarray,
) -> None:
    """Into ``counts`` (groups, 3, 3, classes), ``losses`` (groups, 3, 2) and the two others.

    The Brier score of two classes is that of the positive one; of more, the sum over the classes.
    The baseline of the frequencies is taken along: its most frequent class and its sum of squares.
    """
    classes = probabilities.shape[1]
    bins = calibration.shape[1]
    halved = 0.5 if classes == 2 else 1.0
    total, squares, most = 0.0, 0.0, 0
    for c in range(classes):
        total += baseline[c]
        squares += (baseline[c] + 1.0) ** 2
        if baseline[c] > baseline[most]:
            most = c
    for sample in range(len(labels)):
        label, group = int(labels[sample]), groups[sample]
        own = probabilities[sample, label]
        answer, brier = 0, 1.0 - 2.0 * own
        for c in range(classes):
            p = probabilities[sample, c]
            brier += p * p
            if p > probabilities[sample, answer]:
                answer = c
        counts[group, 0, SUPPORT, label] += 1
        counts[group, 0, PREDICTED, answer] += 1
        counts[group, 0, HITS, label] += label == answer
        losses[group, 0, 1] += halved * brier
        stated, true = probabilities[sample, answer], label == answer
        if classes == 2:
            stated, true = probabilities[sample, 1], label == 1
            against, favour = _log_loss(stated, True), _log_loss(stated, False)
            losses[group, 0, 0] += favour if label == 1 else against
            # a number that is not finite shows in the losses; as an index it would be a disaster
            if histogram.shape[1] and stated == stated:
                histogram[label, bin_of(against - favour)] += 1
        else:
            losses[group, 0, 0] += _log_loss(own, False)
        if bins and stated == stated:
            place = min(int(stated * bins), bins - 1)
            calibration[0, place] += 1.0
            calibration[1, place] += stated
            calibration[2, place] += true
        if previous == previous:  # not nan
            answer = int(previous)
            counts[group, 1, SUPPORT, label] += 1
            counts[group, 1, PREDICTED, answer] += 1
            counts[group, 1, HITS, label] += label == answer
        if total > 0.0:
            counts[group, 2, SUPPORT, label] += 1
            counts[group, 2, PREDICTED, most] += 1
            counts[group, 2, HITS, label] += label == most
            own = (baseline[label] + 1.0) / (total + classes)
            losses[group, 2, 0] += _log_loss(own, False)
            spread = squares / (total + classes) ** 2
            losses[group, 2, 1] += halved * (1.0 - 2.0 * own + spread)
        previous = labels[sample]
        squares += 2.0 * baseline[label] + 3.0
        baseline[label] += 1.0
        total += 1.0
        if baseline[label] > baseline[most] or (baseline[label] == baseline[most] and label < most):
            most = label
