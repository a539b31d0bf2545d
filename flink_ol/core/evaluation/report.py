"""The metrics that the sums stand for, as they are told everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from flink_ol.core.config import Learning
from flink_ol.core.evaluation import slices
from flink_ol.core.evaluation.class_metrics import class_metrics
from flink_ol.core.evaluation.judge import deviance_of
from flink_ol.core.evaluation.recent import Recent
from flink_ol.core.evaluation.sums import scored
from flink_ol.core.evaluation.value_metrics import value_metrics

CLASS_BASELINES = ("no_change", "majority")
VALUE_BASELINES = ("no_change", "running_mean")

_NOTHING: Mapping[str, np.ndarray] = MappingProxyType({})


def metrics(
    sums: Mapping[str, np.ndarray],
    learning: Learning,
    recent: Mapping[str, np.ndarray] = _NOTHING,
) -> dict[str, Any]:
    """Metrics of the model, ``baselines`` likewise, and ``scored`` samples.

    Classification: accuracy, balanced_accuracy, f1 (of the positive class; macro over the classes
    seen for multiclass), f1_macro, f1_weighted, kappa, log_loss, brier, calibration_error and the
    table ``calibration``, for binary tasks roc_auc, with roc_auc_within, its greatest error.
    Regression: mae, rmse, r2, and pinball or poisson_deviance by the loss. What is not defined yet
    is left out.

    ``window`` and ``faded`` are the same of ``recent``, which are ``Recent.to_arrays()``; there
    ``scored`` is the samples of the window, and the faded weight of all. ``slices`` has for each
    field ``values``, and ``other`` and ``absent`` where they were met.
    """
    told = _metrics(sums, learning)
    if recent:
        held = Recent.of_arrays(recent)
        told["window"] = _metrics(held.window(), learning)
        told["faded"] = _metrics(held.faded, learning) | {"scored": scored(held.faded)}
    if found := slices.fields(sums):
        told["slices"] = {field: _by_value(sums, field, learning) for field in found}
    return told


def _by_value(sums: Mapping[str, np.ndarray], field: str, learning: Learning) -> dict[str, Any]:
    told: dict[str, Any] = {"values": {}}
    for row, value, own in slices.each(sums, field):
        if row >= slices.FIRST:
            told["values"][value] = _metrics(own, learning)
        elif scored(own):
            told["absent" if row == slices.ABSENT else "other"] = _metrics(own, learning)
    return told


def _metrics(sums: Mapping[str, np.ndarray], learning: Learning) -> dict[str, Any]:
    values = learning.task == "regression"
    names = VALUE_BASELINES if values else CLASS_BASELINES
    answered = [
        value_metrics(sums, answerer, deviance_of(learning))
        if values
        else class_metrics(sums, answerer, learning.task == "binary")
        for answerer in range(1 + len(names))
    ]
    return {
        **answered[0],
        "baselines": dict(zip(names, answered[1:], strict=True)),
        "scored": int(scored(sums)),
    }
