"""The trainer: learns from batches on its own replica of the model and says what it learned.

A state machine without I/O. One trainer works for all partitions whose keys its subtask owns, on
one replica: the newest accepted frame plus its own updates that the frame does not yet contain.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from flink_ol.core import replica
from flink_ol.core.features.appending import without_rows
from flink_ol.core.learner import Learner, finite
from flink_ol.core.ledger import Account, Tally, account_of
from flink_ol.core.lossy import Compression
from flink_ol.core.messages import (
    INITIAL,
    PACE_AT_FIRST,
    Frame,
    Heading,
    Hello,
    Pace,
    Update,
    Version,
    Worker,
)
from flink_ol.core.names import Told, told
from flink_ol.core.residual import Change, Lossy, Residual
from flink_ol.core.rounded_frames import view_of
from flink_ol.core.samples import (
    Rejection,
    Samples,
    in_order,
    offsets_of,
    rejected_of,
    rejection_of,
    row_numbers,
)
from flink_ol.core.slot_set import SlotSet
from flink_ol.core.state import Delta, State
from flink_ol.core.waiting_room import Batch, Room

_LARGEST = 1e150
_TOO_LARGE = (
    f"the square of a number of it is infinite, or near it (at most {_LARGEST:g} is learned)"
)
NOT_FINITE = (
    "learning from it makes the model infinite or not a number: check the sample's scale, or "
    "lower optimizer.learning_rate"
)


class Sent(NamedTuple):
    """A contribution to a round that the model does not confirm yet."""

    round: int
    samples: int
    ends_pass: bool


class Progress(NamedTuple):
    """Where a partition stands."""

    sequence: int = 0  # of its last update
    label: float = math.nan  # of its last learned sample, for the no-change baseline
    position: int = 0  # samples of the waiting batches that are done with
    passes: int = 0  # over a bounded input, done
    sent: Sent | None = None
    end: int = -1  # offset after the last sample of a bounded input; -1: not known, or endless


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
    """More samples wait than should: take the next batch a little later."""


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


class Trainer:
    """``handle(state, event) -> effects`` for one learner."""

    gradients = False  # whether updates are gradients
    refusable = False  # whether an update may be refused, and its samples come again

    def __init__(self, learner: Learner, compression: Compression | None = None) -> None:
        self.learner = learner
        self._lossy = None
        if compression is not None:
            self._lossy = Lossy(learner, compression, self.gradients)

    def initial(self, worker: Worker) -> TrainerState:
        """A trainer that holds version 0 and has said nothing."""
        first = self.learner.initial()
        return TrainerState(worker, first, known=SlotSet(first.vocabulary.size))

    def handle(self, state: TrainerState, event: Event) -> list[Effect]:
        """Take ``event`` into ``state`` (in place); what is to be done."""
        if isinstance(event, BatchArrived):
            return self._learn(state, _within_bounds(event))
        if isinstance(event, PartitionRestored):
            return self._restore_partition(state, event)
        if isinstance(event, TimeCame):
            return [*self._hello(state), *self._advance(state, event.partition)]
        refused = None
        if isinstance(event, FrameArrived):
            refused = self.refused(state, event.frame.heading)
        return self._adopt(state, event.frame) if refused is None else refused

    def _restore_partition(self, state: TrainerState, event: PartitionRestored) -> list[Effect]:
        learner = self.learner.tuned(state.overrides)
        state.progress[event.partition] = event.progress
        self._restore_residual(state, event)
        contained = state.acknowledged.get(event.partition, 0)
        for update in sorted(event.pending, key=lambda update: update.sequence):
            if update.sequence > contained:
                state.pending.append(update)
                learner.merge(state.replica, update.delta, 1.0)
            else:
                state.forgettable.setdefault(event.partition, []).append(update.sequence)
        return []

    def _restore_residual(self, state: TrainerState, event: PartitionRestored) -> None:
        if self._lossy is not None:
            state.residuals[event.partition] = self._lossy.restored(event.residual)

    def refused(self, state: TrainerState, heading: Heading) -> list[Effect] | None:
        """What is to be done about a frame that cannot be taken, which is counted; None: it can.

        Where a change lacks the frame before it, another hello asks for a whole one.
        """
        if state.worker not in heading.workers:
            state.ghosts += 1
        elif heading.version <= state.version:
            state.stale += 1
        elif heading.parent not in (None, state.version):
            return self._miss(state)
        else:
            return None
        return []

    @staticmethod
    def _miss(state: TrainerState) -> list[Effect]:
        state.orphans += 1
        if state.waits:
            return []
        state.waits = True
        return [SayHello(Hello(state.worker))]

    def _adopt(self, state: TrainerState, frame: Frame) -> list[Effect]:
        """Replica = frame + own updates that it does not contain."""
        learner = self.learner.tuned(frame.overrides)
        contained: list[Update] = []
        pending: list[Update] = []
        for update in state.pending:
            new = update.sequence > frame.acknowledged.get(update.partition, 0)
            (pending if new else contained).append(update)
        if frame.parent is None:
            state.replica = replica.rebuilt(learner, frame, pending)
            state.known, state.waits = SlotSet(len(frame.keys)), False
            state.view = None
            if frame.codes:
                state.view = view_of(learner.specs, frame.codes, frame.keys, frame.arrays)
        else:
            slots = replica.changed(learner, state.replica, frame, contained, pending, state.view)
            if slots is None:
                return self._miss(state)
            state.known.add(slots)
        state.version, state.pending = frame.version, pending
        state.rate_scale, state.acknowledged = frame.rate_scale, frame.acknowledged
        state.overrides = frame.overrides
        state.pace = frame.pace
        for update in contained:
            state.forgettable.setdefault(update.partition, []).append(update.sequence)
        return []

    def _advance(self, state: TrainerState, partition: int) -> list[Effect]:
        """Go on with what waits: nothing does where every sample is learned when it comes."""
        return []

    @staticmethod
    def _hello(state: TrainerState) -> list[Effect]:
        """What is said before anything else in a life."""
        if state.greeted:
            return []
        state.greeted = True
        return [SayHello(Hello(state.worker))]

    def _greet(self, state: TrainerState, event: BatchArrived) -> list[Effect]:
        """What is to be done with any batch, whatever is learned from it."""
        effects = self._hello(state)
        if forgotten := state.forgettable.pop(event.partition, None):
            effects.append(ForgetUpdates(event.partition, tuple(forgotten)))
        effects += (DeadLetter(event.partition, rejection) for rejection in event.rejections)
        return effects

    def _learn(self, state: TrainerState, event: BatchArrived) -> list[Effect]:
        effects = self._greet(state, event)
        partition = event.partition
        progress = state.progress.get(partition, Progress())
        account = account_of(event.samples.offsets, offsets_of(event.rejections))
        update = self._update(state, event, event.samples, progress, account, effects)
        if update is not None:
            self._keep(state, update, event.samples, progress, effects)
        else:
            self._learn_apart(state, event, account.rejected, effects)
        return effects

    def _learn_apart(
        self, state: TrainerState, event: BatchArrived, rejected: Tally, effects: list[Effect]
    ) -> None:
        """Some sample drives the model out of the finite numbers: learn from the others.

        ``rejected``: what the next update has to tell, beside the sample. A record's offset is
        told once: as learned with the first of its samples that can be learned from, as rejected
        behind the last if there was none.
        """
        samples, partition, letters = event.samples, event.partition, len(event.rejections)
        rows = row_numbers(samples, event.rejections)
        told = False  # of the record of the sample at hand
        for i in range(len(samples)):
            sample = samples.rows(i, i + 1)
            progress = state.progress.get(partition, Progress())
            account = _account(sample, rejected, letters, told)
            update = self._update(state, event, sample, progress, account, effects)
            if update is None:
                effects.append(DeadLetter(partition, rejection_of(samples, i, NOT_FINITE, rows)))
                letters += 1
            else:
                self._keep(state, update, sample, progress, effects)
                rejected, letters, told = Tally(), 0, True
            if i + 1 == len(samples) or samples.offsets[i + 1] != samples.offsets[i]:
                if not told:
                    rejected = rejected.join(Tally.of(sample.offsets))
                told = False
        if letters:
            nothing = samples.rows(0, 0)
            progress = state.progress.get(partition, Progress())
            account = _account(nothing, rejected, letters, told)
            update = self._update(state, event, nothing, progress, account, effects)
            assert update is not None
            self._keep(state, update, nothing, progress, effects)

    def _update(
        self,
        state: TrainerState,
        event: BatchArrived,
        samples: Samples,
        progress: Progress,
        account: Account,
        effects: list[Effect],
    ) -> Update | None:
        """Learn from ``samples``; None, with the replica as before, if a number is not finite."""
        learner, own = self.learner.tuned(state.overrides), state.replica
        samples = learner.filled(own, samples)
        mark = learner.mark(own, samples)
        sums = learner.learn(own, samples, progress.label, state.rate_scale)
        delta = learner.difference(own, mark, samples)
        if not finite(delta, sums):
            learner.restore(own, mark)
            return None
        codes: Mapping[str, str] = {}
        if self._lossy is not None:
            delta, told, codes = self._lessen(self._lossy, state, event.partition, delta, effects)
            learner.put_back(own, mark, told)
        return Update(
            event.partition,
            progress.sequence + 1,
            state.worker,
            state.version,
            account,
            delta,
            sums,
            {},
            event.newest_ms,
            codes=codes,
        )._replace(**self._names(state, delta, samples))

    def _lessen(
        self,
        lossy: Lossy,
        state: TrainerState,
        partition: int,
        delta: Delta,
        effects: list[Effect],
    ) -> tuple[Delta, Mapping[str, np.ndarray], Mapping[str, str]]:
        """``delta`` as it is sent; what that says of all its features; its codes."""
        residual = state.residuals.get(partition)
        if residual is None:
            residual = state.residuals[partition] = lossy.restored(())
        known = state.known.holds(state.replica.vocabulary.find(delta.keys))
        coded, change = lossy.send(residual, delta, known, self.refusable)
        effects.append(KeepResidual(partition, change))
        return coded.delta, coded.sent, lossy.codes

    @staticmethod
    def _names(state: TrainerState, delta: Delta, samples: Samples) -> Told:
        """What an update tells of names: those of features that the frame does not know."""
        new = delta.keys[~state.known.holds(state.replica.vocabulary.find(delta.keys))]
        return told(samples.names, delta.keys, new)

    @staticmethod
    def _keep(
        state: TrainerState,
        update: Update,
        samples: Samples,
        progress: Progress,
        effects: list[Effect],
    ) -> None:
        label = float(samples.labels[-1]) if len(samples) else progress.label
        after = Progress(update.sequence, label)
        state.progress[update.partition] = after
        state.pending.append(update)
        effects += (SendUpdate(update), SaveProgress(update.partition, after))


def _within_bounds(event: BatchArrived) -> BatchArrived:
    """The batch with the samples rejected whose numbers are finite, and their squares are not.

    Running statistics would take one in, and no later sample of its feature could be learned.
    """
    samples = event.samples
    beyond = np.abs(samples.values) > _LARGEST
    if not beyond.any():
        return event
    fine = np.ones(len(samples), bool)
    fine[np.searchsorted(samples.indptr, np.flatnonzero(beyond), "right") - 1] = False
    others = event.rejections
    rejections = in_order([*others, *rejected_of(samples, fine, _TOO_LARGE, others)])
    return event._replace(samples=without_rows(samples, ~fine), rejections=rejections)


def _account(samples: Samples, rejected: Tally, letters: int, told: bool) -> Account:
    """Of one update; ``told``: whether an update before has the record of the samples."""
    learned = Tally() if told else Tally.of(samples.offsets)
    return Account(learned, rejected, len(samples) - learned.count, letters - rejected.count)
