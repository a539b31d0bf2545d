"""What a trainer knows: of each partition, and of the model."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from flink_ol.core.messages import INITIAL, PACE_AT_FIRST, Pace, Update, Version, Worker
from flink_ol.core.residual import Residual
from flink_ol.core.slot_set import SlotSet
from flink_ol.core.state import State
from flink_ol.core.waiting_room import Room


class Sent(NamedTuple):
    """A contribution to a round that the model does not confirm yet."""

    round: int
    samples: int
    ends_pass: bool
    through: int = sys.maxsize  # number of the last batch complete with it; older states: of all


class Progress(NamedTuple):
    """Where a partition stands."""

    sequence: int = 0  # of its last update
    label: float = math.nan  # of its last learned sample, for the no-change baseline
    position: int = 0  # samples of the waiting batches that are done with
    passes: int = 0  # over a bounded input, done
    sent: Sent | None = None
    end: int = -1  # offset after the last sample of a bounded input; -1: not known, or endless
    told: int = 0  # number of the last waiting batch whose rejections the model has, where it stays


@dataclass(slots=True)
class TrainerState:
    """Everything a trainer subtask knows; consumed and updated by ``Trainer.handle``."""

    worker: Worker
    replica: State
    version: Version = INITIAL  # of the frame beneath the replica
    view: State | None = None  # that frame's parameters, where its changes are differences
    rate_scale: float = 1.0
    overrides: Mapping[str, Any] = field(default_factory=dict)  # of the frame
    greeted: bool = False
    heard: bool = False  # whether a frame came in this life
    acknowledged: Mapping[int, int] = field(default_factory=dict)  # by partition, of the frame
    known: SlotSet = field(default_factory=SlotSet)  # features that the frame has
    progress: dict[int, Progress] = field(default_factory=dict)
    pending: list[Update] = field(default_factory=list)  # in the order they were learned
    forgettable: dict[int, list[int]] = field(default_factory=dict)
    pace: Pace = PACE_AT_FIRST  # of the shards, by the frame
    rooms: dict[int, Room] = field(default_factory=dict)  # by partition, where samples wait
    residuals: dict[int, Residual] = field(default_factory=dict)  # by partition, if lossy
    late: int = 0  # contributions that came after their round
    ghosts: int = 0  # frames of another life
    stale: int = 0  # frames older than the one held
    orphans: int = 0  # changes of a frame that is not the one held
    waits: bool = False  # for a whole frame, which was asked for
