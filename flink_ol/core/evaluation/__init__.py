"""Prequential evaluation: every sample is scored before it is learned from.

Kept as sums that add over disjoint samples, unweighted, beside the sums of two baselines:
``no_change`` answers with the label before (in the same partition); ``majority`` answers with the
most frequent label so far (the lowest index if several are), its probabilities being the
frequencies with one added to every count; ``running_mean`` is its counterpart in regression. A
baseline that has seen nothing yet is not scored.
"""

from flink_ol.core.evaluation.class_sums import class_sums
from flink_ol.core.evaluation.judge import Judge
from flink_ol.core.evaluation.recent import Recent
from flink_ol.core.evaluation.report import metrics
from flink_ol.core.evaluation.settings import Evaluation
from flink_ol.core.evaluation.slices import add_sums
from flink_ol.core.evaluation.sums import Sums
from flink_ol.core.evaluation.value_sums import value_sums

__all__ = [
    "Evaluation",
    "Judge",
    "Recent",
    "Sums",
    "add_sums",
    "class_sums",
    "metrics",
    "value_sums",
]
