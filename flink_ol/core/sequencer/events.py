"""Events and effects of the sequencer: facts that it is told, and what is to be done about them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from flink_ol.core.messages import Entry, Hello, Update
from flink_ol.core.samples import Rejection


class HelloArrived(NamedTuple):
    hello: Hello


class UpdateArrived(NamedTuple):
    update: Update


class CommandArrived(NamedTuple):
    """A command of the control topic, already checked against its schema."""

    command: Mapping[str, Any]


class TimeCame(NamedTuple):
    """A timer asked for by WakeMe fired."""


class Append(NamedTuple):
    """Append the entry to the log: send it to every replica of the model."""

    entry: Entry


class WakeMe(NamedTuple):
    at_ms: int


class UpdateSpoilt(NamedTuple):
    """The last defence: an update with numbers that are not finite was kept out of the model."""

    update: Update


class CommandRefused(NamedTuple):
    """The command asks for what cannot be; the entry that goes with it says why."""

    command: Mapping[str, Any]


class KeepContribution(NamedTuple):
    """Put the contribution to the open round into the state."""

    update: Update


class DropContributions(NamedTuple):
    """Drop the contributions of these partitions from the state."""

    partitions: tuple[int, ...]


class KeepLearned(NamedTuple):
    """Put what the sequencer itself learned, as values, into the state."""

    update: Update


class RejectSample(NamedTuple):
    """A sample that the sequencer could not learn from."""

    partition: int
    rejection: Rejection


Event = HelloArrived | UpdateArrived | CommandArrived | TimeCame
Effect = (
    Append
    | WakeMe
    | UpdateSpoilt
    | CommandRefused
    | KeepContribution
    | DropContributions
    | KeepLearned
    | RejectSample
)
