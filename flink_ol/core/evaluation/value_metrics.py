"""What the sums of a regression say; what is not defined is left out."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from flink_ol.core.evaluation.sums import TARGETS
from flink_ol.core.evaluation.value_sums import Deviance


def value_metrics(
    sums: Mapping[str, np.ndarray], answerer: int, deviance: Deviance
) -> dict[str, float]:
    """mae, rmse, of the model r2, and the loss's own measure; nothing where nothing was scored."""
    if "errors" not in sums or not (count := float(sums["errors"][answerer, 0])):
        return {}
    _, absolute, squared, deviances = (float(each) for each in sums["errors"][answerer])
    found = {"mae": absolute / count, "rmse": math.sqrt(squared / count)}
    if answerer == 0 and (total := float(sums[TARGETS][2])) > 0.0:
        found["r2"] = 1.0 - squared / total
    if deviance.name:
        found[deviance.name] = deviances / count
    return found
