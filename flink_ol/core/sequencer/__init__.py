"""The sequencer: puts updates and commands into one total order, the log."""

from flink_ol.core.sequencer.events import (
    Append,
    CommandArrived,
    CommandRefused,
    DropContributions,
    Effect,
    Event,
    HelloArrived,
    KeepContribution,
    KeepLearned,
    RejectSample,
    TimeCame,
    UpdateArrived,
    UpdateSpoilt,
    WakeMe,
)
from flink_ol.core.sequencer.machine import Sequencer
from flink_ol.core.sequencer.state import SequencerState

__all__ = [
    "Sequencer",
    "SequencerState",
    "Event",
    "HelloArrived",
    "UpdateArrived",
    "CommandArrived",
    "TimeCame",
    "Effect",
    "Append",
    "WakeMe",
    "UpdateSpoilt",
    "CommandRefused",
    "KeepContribution",
    "DropContributions",
    "KeepLearned",
    "RejectSample",
]
