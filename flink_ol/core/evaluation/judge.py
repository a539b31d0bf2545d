"""The sums of one batch, by the task and what is to be evaluated."""

from __future__ import annotations

import numpy as np

from flink_ol.core.config import Learning
from flink_ol.core.evaluation import slices
from flink_ol.core.evaluation.class_sums import class_sums, class_sums_by_group
from flink_ol.core.evaluation.settings import Evaluation
from flink_ol.core.evaluation.sums import Sums
from flink_ol.core.evaluation.value_sums import (
    NO_DEVIANCE,
    Deviance,
    value_sums,
    value_sums_by_group,
)
from flink_ol.core.samples import Samples


def deviance_of(learning: Learning) -> Deviance:
    """What the loss of a regression asks for beside absolute and squared errors."""
    loss = learning.chosen_loss
    if loss.name == "quantile":
        return Deviance("pinball", loss.parameters[0])
    return Deviance("poisson_deviance") if loss.name == "poisson" else NO_DEVIANCE


class Judge:
    """Scores answers, given before learning, against labels."""

    def __init__(self, learning: Learning, settings: Evaluation) -> None:
        self._values = learning.task == "regression"
        self._deviance = deviance_of(learning)
        self._slices = settings.slices
        self._most = slices.most_values(learning.class_count)

    def sums(
        self, answers: np.ndarray, samples: Samples, previous: float, baseline: np.ndarray
    ) -> Sums:
        """Sums of one batch; counts its labels into ``baseline``.

        ``answers`` (samples, classes) or (samples,), ``previous`` the label before the batch in
        its partition, nan if there is none.
        """
        labels = samples.labels
        found: Sums = {}
        for field in self._slices:
            group = slices.grouping(samples, field, self._most)
            count = slices.FIRST + len(group.values)
            if self._values:
                apart = value_sums_by_group(
                    answers, labels, previous, baseline, group.rows, count, self._deviance
                )
            else:
                apart = class_sums_by_group(answers, labels, previous, baseline, group.rows, count)
            found |= slices.named_sums(field, group, apart)
        if self._values:
            return found | value_sums(answers, labels, previous, baseline, self._deviance)
        return found | class_sums(answers, labels, previous, baseline)
