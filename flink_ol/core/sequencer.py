"""The sequencer: puts updates and commands into one total order, the log.

A state machine without I/O. It gives every entry its version and its factors, decides when
weights, snapshots and metrics are published, and answers every trainer's hello. It holds no
parameters of the model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from flink_ol.core.config import ConfigError, Learning
from flink_ol.core.expiry import Activity, cut_off
from flink_ol.core.frame_rate import FrameRate, Outgoing
from flink_ol.core.ledger import Account, Tally
from flink_ol.core.messages import (
    INITIAL,
    PACE_AT_FIRST,
    Entry,
    Hello,
    Pace,
    Update,
    Version,
    Worker,
)
from flink_ol.core.samples import Rejection
from flink_ol.core.state import Delta, State
from flink_ol.core.tuning import changed

# A worker's part in the recent past is forgotten by half in this many updates of all workers:
# short enough to follow a worker that falls silent, long enough to smooth the turns of windows.
_HALF_LIFE_UPDATES = 32.0
_PRIOR = 6.0  # first updates that every worker is taken to have sent already
_DECAY = 0.5 ** (1.0 / _HALF_LIFE_UPDATES)

WEIGHTS, SNAPSHOT, METRICS = "weights", "snapshot", "metrics"
WHOLE = "whole"  # beside WEIGHTS: not just what changed


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


class Sequencer:
    """``handle(state, event, now_ms) -> effects``; intervals in milliseconds."""

    def __init__(
        self,
        learning: Learning,
        intervals_ms: Mapping[str, int],
        scale_rate: bool = True,
        workers: int = 1,
        frame_rate: FrameRate | None = None,
    ) -> None:
        """``learning``: as specified, which commands may change in part.

        ``workers``: how many are expected to be at work from the first update on.

        ``intervals_ms``: least time between publications of weights, snapshot, metrics.

        ``scale_rate``: whether steps grow with the number of workers at work, as averaging their
        differences divides them.

        ``frame_rate``: bounds what weights frames take; None: the interval alone does.
        """
        self.learning = learning
        self.intervals_ms = intervals_ms
        self.scale_rate, self.workers = scale_rate, workers
        self._frame_rate = frame_rate

    def initial(self) -> SequencerState:
        """Before the first event of the first life."""
        return SequencerState()

    def handle(self, state: SequencerState, event: Event, now_ms: int) -> list[Effect]:
        """Take ``event`` into ``state`` (in place); what is to be done."""
        if not state.opened:
            self._open(state, now_ms)
            self._resume(state, now_ms)
        if isinstance(event, UpdateArrived):
            return self._order(state, event.update, now_ms)
        if isinstance(event, HelloArrived):
            worker = event.hello.worker
            state.workers[worker.index] = worker.incarnation
            return [self._append(state, now_ms, {WEIGHTS, WHOLE}), *self._wake(state)]
        if isinstance(event, CommandArrived):
            return self._obey(state, event.command, now_ms)
        state.wake_ms = 0
        effects = self._come(state, now_ms)
        due = self._due(state, now_ms)
        effects += [self._append(state, now_ms, due)] if due else []
        return effects + self._wake(state)

    def _come(self, state: SequencerState, now_ms: int) -> list[Effect]:
        """What a mode has to do because of the time."""
        return []

    def _deadlines(self, state: SequencerState) -> list[int]:
        """When a mode wants to be woken."""
        return []

    def _resume(self, state: SequencerState, now_ms: int) -> None:
        """What a mode has to do when a life begins."""

    def _open(self, state: SequencerState, now_ms: int) -> None:
        """Begin an epoch above every version that any earlier life may have sent out."""
        state.opened = True
        state.version = Version(max(state.version.epoch + 1, now_ms), state.version.number)
        state.workers = {}
        state.wake_ms = 0

    def _expect(self, state: SequencerState, update: Update) -> None:
        expected = state.sequences.get(update.partition, 0) + 1
        if update.sequence != expected:
            raise AssertionError(
                f"update {update.sequence} of partition {update.partition} where {expected} was "
                "due: the state of the trainer and of the sequencer are not of one checkpoint"
            )

    def _sound(self, update: Update, effects: list[Effect]) -> Update:
        """The update, or, if a number of it is not finite, its account alone."""
        if update.delta.finite():
            return update
        effects.append(UpdateSpoilt(update))
        return without_delta(update)

    def _order(self, state: SequencerState, update: Update, now_ms: int) -> list[Effect]:
        self._expect(state, update)
        state.sequences[update.partition] = update.sequence
        effects: list[Effect] = []
        update = self._sound(update, effects)
        factor = self._weigh(state, update)
        state.owed |= self.intervals_ms.keys()
        effects.append(
            self._append(state, now_ms, self._due(state, now_ms), updates=(update,), factor=factor)
        )
        return effects + self._wake(state)

    def _weigh(self, state: SequencerState, update: Update) -> float:
        """The share of the update's worker in the samples merged lately: 1 when it is alone."""
        worker, parts = update.worker.index, state.parts
        if not parts and update.account.samples and self.workers > 1:
            # All workers learn from the same beginning: as if each had sent as much before, so that
            # what the first ones tell does not count in full. An idle one is forgotten soon.
            parts.update(dict.fromkeys(range(self.workers), _PRIOR * update.account.samples))
        for index in list(parts):
            parts[index] *= _DECAY
            if parts[index] < 1e-3:
                del parts[index]
        parts[worker] = parts.get(worker, 0.0) + update.account.samples
        total = sum(parts.values())
        return parts[worker] / total if total > 0.0 and len(parts) > 1 else 1.0

    def _rate_scale(self, state: SequencerState) -> float:
        """Effective number of workers: 1 / sum of squared shares."""
        total = sum(state.parts.values())
        if not self.scale_rate or len(state.parts) < 2 or total <= 0.0:
            return 1.0
        return total * total / sum(part * part for part in state.parts.values())

    def _obey(self, state: SequencerState, command: Mapping[str, Any], now_ms: int) -> list[Effect]:
        if command["command"] == "snapshot":
            return [self._append(state, now_ms, {SNAPSHOT, METRICS}, command=command)]
        if command["command"] != "set":
            raise AssertionError(f"command {command['command']!r} passed its schema unhandled")
        try:
            state.overrides = changed(self.learning, state.overrides, command["values"])
        except ConfigError as error:
            told = {**command, "refused": str(error)}
            return [CommandRefused(command), self._append(state, now_ms, {METRICS}, command=told)]
        return [self._append(state, now_ms, {WEIGHTS, METRICS}, command=command)]

    def _due(self, state: SequencerState, now_ms: int) -> set[str]:
        return {kind for kind in state.owed if now_ms >= self._next_ms(state, kind)}

    def _next_ms(self, state: SequencerState, kind: str) -> int:
        """When the publication may come again."""
        rest_ms = state.outgoing.rest_ms if kind == WEIGHTS else 0
        return state.published_ms.get(kind, 0) + max(self.intervals_ms[kind], rest_ms)

    def _wake(self, state: SequencerState) -> list[Effect]:
        """Ask to be woken when something is due next, unless that is already asked."""
        times = [self._next_ms(state, kind) for kind in state.owed]
        times += self._deadlines(state)
        if not times:
            return []
        at_ms = min(times)
        if state.wake_ms and state.wake_ms <= at_ms:
            return []
        state.wake_ms = at_ms
        return [WakeMe(at_ms)]

    def _append(
        self, state: SequencerState, now_ms: int, publish: set[str], **fields: Any
    ) -> Append:
        expiry, before_ms = self.learning.features.expiry, 0
        if expiry is not None and fields.get("updates"):
            before_ms = cut_off(expiry, state.activity, now_ms)
        if before_ms:
            publish = publish | {WEIGHTS}
        for kind in publish - {WHOLE}:
            state.published_ms[kind] = now_ms
        state.owed -= publish
        self._count(state, fields.get("updates", ()), WEIGHTS in publish)
        state.version = Version(state.version.epoch, state.version.number + 1)
        return Append(
            Entry(
                state.version,
                now_ms,
                rate_scale=self._rate_scale(state),
                workers=tuple(Worker(*pair) for pair in sorted(state.workers.items())),
                publish=frozenset(publish),
                overrides=state.overrides,
                expire_before_ms=before_ms,
                pace=state.pace,
                **fields,
            )
        )

    def _count(self, state: SequencerState, updates: Sequence[Update], publishes: bool) -> None:
        """Count what the next frame will hold; ``publishes``: it goes out with these updates."""
        if self._frame_rate is None:
            return
        for update in updates:
            self._frame_rate.touch(state.outgoing, update.delta)
        if publishes:
            least_ms = self.intervals_ms.get(WEIGHTS, 0)
            self._frame_rate.sent(state.outgoing, len(state.workers), least_ms)


def without_delta(update: Update) -> Update:
    """The update with all its samples rejected and nothing to merge."""
    account = update.account
    rejected = account.learned.join(account.rejected)
    more = account.more_samples + account.more_letters
    return update._replace(
        account=Account(Tally(), rejected, more_letters=more),
        delta=Delta(np.empty(0, np.int64), {}),
        sums={},
        names={},
        others={},
    )
