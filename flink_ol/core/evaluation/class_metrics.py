"""What the sums of a classification say, in the conventions of scikit-learn.

Balanced accuracy is the mean recall of the classes that occurred; F1 averages (macro, and weighted
by support) are over the classes that occurred or were answered. Cohen's kappa needs the marginals
only. What is not defined (one class only, say) is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from flink_ol.core.evaluation.class_sums import HITS, PREDICTED, SUPPORT
from flink_ol.core.evaluation.ranking import roc_auc

MODEL, NO_CHANGE, MAJORITY = range(3)


def class_metrics(sums: Mapping[str, np.ndarray], answerer: int, binary: bool) -> dict[str, Any]:
    """Of the model or one of its baselines; nothing where nothing was scored.

    ``no_change`` names a label and gives no probabilities, so it has no log loss and Brier score:
    they would only tell where certainty is cut off.
    """
    if "counts" not in sums or not (count := float(sums["counts"][answerer, 0].sum())):
        return {}
    found: dict[str, Any] = _of_answers(sums["counts"][answerer].astype(np.float64), count, binary)
    if answerer != NO_CHANGE:
        log_loss, brier = sums["losses"][answerer]
        found |= {"log_loss": float(log_loss / count), "brier": float(brier / count)}
    if answerer == MODEL and "histogram" in sums:
        area = roc_auc(sums["histogram"])
        if area is not None:
            found["roc_auc"], found["roc_auc_within"] = area
    if answerer == MODEL and "calibration" in sums:
        table = sums["calibration"]
        found["calibration_error"] = float(np.abs(table[2] - table[1]).sum() / count)
        found["calibration"] = _calibration(table)
    return found


def _of_answers(counts: np.ndarray, count: float, binary: bool) -> dict[str, Any]:
    support, predicted, hits = counts[SUPPORT], counts[PREDICTED], counts[HITS]
    seen, occurred = support + predicted > 0, support > 0
    f1 = np.divide(2.0 * hits, support + predicted, out=np.zeros(len(hits)), where=seen)
    accuracy = hits.sum() / count
    by_chance = float(support @ predicted) / count**2
    found = {
        "accuracy": float(accuracy),
        "balanced_accuracy": float((hits[occurred] / support[occurred]).mean()),
        "f1": float(f1[1] if binary else f1[seen].mean()),
        "f1_macro": float(f1[seen].mean()),
        "f1_weighted": float(f1 @ support / count),
    }
    if by_chance < 1.0 - 1e-12:  # below that one class is all there is, up to rounding
        found["kappa"] = float((accuracy - by_chance) / (1.0 - by_chance))
    return found


def _calibration(table: np.ndarray) -> list[dict[str, float]]:
    """The bins that have samples: mean prediction beside how often it came true."""
    bins = table.shape[1]
    return [
        {
            "from": i / bins,
            "to": (i + 1) / bins,
            "count": float(count),
            "mean_prediction": float(stated / count),
            "frequency": float(true / count),
        }
        for i, (count, stated, true) in enumerate(table.T)
        if count > 0
    ]
