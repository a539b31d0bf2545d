"""What the sequencer knows: of the log, of those at work, and what its mode keeps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flink_ol.core.expiry import Activity
from flink_ol.core.frame_rate import Outgoing
from flink_ol.core.messages import INITIAL, PACE_AT_FIRST, Pace, Update, Version
from flink_ol.core.state import State


@dataclass(slots=True)
class SequencerState:
    """Everything the sequencer knows; consumed and updated by ``Sequencer.handle``."""

    version: Version = INITIAL
    opened: bool = False  # whether this life has begun its epoch; not stored
    workers: dict[int, int] = field(default_factory=dict)  # index -> incarnation, this epoch
    parts: dict[int, float] = field(default_factory=dict)  # worker index -> recent samples
    sequences: dict[int, int] = field(default_factory=dict)  # partition -> last update's
    published_ms: dict[str, int] = field(default_factory=dict)  # last time of each publication
    owed: set[str] = field(default_factory=set)  # publications that lag behind the log
    wake_ms: int = 0  # 0: no timer is set
    overrides: dict[str, Any] = field(default_factory=dict)  # of settings, see core.tuning
    activity: Activity = field(default_factory=Activity)  # where features expire
    pace: Pace = PACE_AT_FIRST
    outgoing: Outgoing = field(default_factory=Outgoing)  # not stored
    # rounds
    contributions: dict[int, Update] = field(default_factory=dict)  # of the open one; by partition
    deadline_ms: int = 0  # when it closes without the others; 0: never; not stored
    idle: set[int] = field(default_factory=set)  # partitions that no round waits for
    resting: set[int] = field(default_factory=set)  # partitions that are done with the pass
    late: int = 0  # contributions that came after their round
    moved_ms: dict[int, int] = field(default_factory=dict)  # last update by partition; not stored
    # of the learner, where the sequencer has one
    learned: State | None = None
    labels: dict[int, float] = field(default_factory=dict)  # last one by partition
    now_ms: int = 0  # of the last event; not stored
