"""Events and effects of the trainer: facts that it is told, and what is to be done about them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from flink_ol.core.messages import Frame, Hello, Update
from flink_ol.core.residual import Change
from flink_ol.core.samples import Rejection, Samples
from flink_ol.core.trainer.state import Progress
from flink_ol.core.waiting_room import Batch


class BatchArrived(NamedTuple):
    """One window's records of one partition, decoded."""

    partition: int
    samples: Samples
    rejections: Sequence[Rejection]
    newest_ms: int  # largest Kafka timestamp of the window


class FrameArrived(NamedTuple):
    """A weights frame came over the feedback edge: perhaps late, twice, or from another life."""

    frame: Frame


class FrameRestored(NamedTuple):
    """An accepted frame of the life before, from the checkpoint: a whole one, then its changes."""

    frame: Frame


class PartitionRestored(NamedTuple):
    """What a checkpoint knows of a partition; arrives before the partition's first batch."""

    partition: int
    progress: Progress
    pending: Sequence[Update]
    waiting: Sequence[Batch] = ()  # kept by KeepBatch, in order
    residual: Sequence[Change] = ()  # kept by KeepResidual, in order


class TimeCame(NamedTuple):
    """A timer of the partition asked for by WakeMe fired."""

    partition: int
    silent: bool = False  # no weights have come for long: they may be lost


class SayHello(NamedTuple):
    hello: Hello


class SendUpdate(NamedTuple):
    """Emit the update, and keep it as pending in the partition's state if it is one."""

    update: Update
    pending: bool = True


class SaveProgress(NamedTuple):
    """Put the progress into the partition's state."""

    partition: int
    progress: Progress


class KeepBatch(NamedTuple):
    """Put the batch that just arrived into the partition's state."""

    partition: int
    number: int


class DropBatches(NamedTuple):
    """Drop these batches of the partition's state."""

    partition: int
    numbers: tuple[int, ...]


class KeepResidual(NamedTuple):
    """Put the change into the partition's state, behind those before or with all in one."""

    partition: int
    change: Change


class WakeMe(NamedTuple):
    """Come back to the partition after a while: perhaps its samples may go on then."""

    partition: int


class SlowDown(NamedTuple):
    """More samples wait than should: take the next batch so much later."""

    seconds: float


class ForgetUpdates(NamedTuple):
    """Drop these pending updates of the partition: the accepted frame contains them."""

    partition: int
    sequences: tuple[int, ...]


class DeadLetter(NamedTuple):
    partition: int
    rejection: Rejection


Event = BatchArrived | FrameArrived | FrameRestored | PartitionRestored | TimeCame
Effect = (
    SayHello
    | SendUpdate
    | SaveProgress
    | ForgetUpdates
    | DeadLetter
    | KeepBatch
    | DropBatches
    | KeepResidual
    | WakeMe
    | SlowDown
)
