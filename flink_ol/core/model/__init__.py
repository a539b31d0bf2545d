"""The model: a deterministic fold over the log, equal on every replica, that answers requests."""

from flink_ol.core.model.events import (
    Answer,
    Effect,
    EntryArrived,
    Event,
    PublishMetrics,
    PublishSnapshot,
    PublishWeights,
    RequestArrived,
)
from flink_ol.core.model.machine import Model
from flink_ol.core.model.state import ModelState

__all__ = [
    "Model",
    "ModelState",
    "Event",
    "EntryArrived",
    "RequestArrived",
    "Effect",
    "PublishWeights",
    "PublishSnapshot",
    "PublishMetrics",
    "Answer",
]
