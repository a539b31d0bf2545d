"""The trainer: learns from batches on its own replica of the model and says what it learned."""

from flink_ol.core.trainer.events import (
    BatchArrived,
    DeadLetter,
    DropBatches,
    Effect,
    Event,
    ForgetUpdates,
    FrameArrived,
    FrameRestored,
    KeepBatch,
    KeepResidual,
    PartitionRestored,
    SaveProgress,
    SayHello,
    SendUpdate,
    SlowDown,
    TimeCame,
    WakeMe,
)
from flink_ol.core.trainer.machine import Trainer
from flink_ol.core.trainer.state import Progress, Sent, TrainerState

__all__ = [
    "Trainer",
    "TrainerState",
    "Progress",
    "Sent",
    "Event",
    "BatchArrived",
    "FrameArrived",
    "FrameRestored",
    "PartitionRestored",
    "TimeCame",
    "Effect",
    "SayHello",
    "SendUpdate",
    "SaveProgress",
    "ForgetUpdates",
    "DeadLetter",
    "KeepBatch",
    "DropBatches",
    "KeepResidual",
    "WakeMe",
    "SlowDown",
]
