"""The trainer's state machine, without I/O: what every mode's trainer does.

One trainer works for all partitions whose keys its subtask owns, on one replica: the newest
accepted frame plus its own updates that the frame does not yet contain.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from flink_ol.core.learner import Learner
from flink_ol.core.ledger import Account
from flink_ol.core.lossy import Compression
from flink_ol.core.messages import Heading, Hello, Update, Worker
from flink_ol.core.names import Told, told
from flink_ol.core.residual import Lossy
from flink_ol.core.samples import Samples
from flink_ol.core.slot_set import SlotSet
from flink_ol.core.state import NOTHING, Delta
from flink_ol.core.trainer import feedback
from flink_ol.core.trainer.events import (
    BatchArrived,
    DeadLetter,
    Effect,
    Event,
    ForgetUpdates,
    FrameArrived,
    KeepResidual,
    PartitionRestored,
    SayHello,
    TimeCame,
)
from flink_ol.core.trainer.guards import within_bounds
from flink_ol.core.trainer.state import Progress, TrainerState
from flink_ol.core.waiting_room import Batch


class Trainer(ABC):
    """``handle(state, event) -> effects`` for one learner; a mode says how a batch is learned."""

    gradients: ClassVar[bool] = False  # whether updates are gradients
    refusable: ClassVar[bool] = False  # whether an update may be refused, its samples come again

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
            samples, rejections = within_bounds(event.samples, event.rejections)
            return self._learn(state, event._replace(samples=samples, rejections=rejections))
        if isinstance(event, PartitionRestored):
            # batches wait as they came
            waiting = [
                Batch(one.number, *within_bounds(one.samples, one.rejections), one.newest_ms)
                for one in event.waiting
            ]
            return self._restore_partition(state, event._replace(waiting=waiting))
        if isinstance(event, TimeCame):
            if event.silent:  # another hello brings a whole frame
                state.greeted = False
            return [*self._hello(state), *self._advance(state, event.partition)]
        if isinstance(event, FrameArrived):
            refused = self.refused(state, event.frame.heading)
            if refused is not None:
                return refused
            state.heard = True
            return feedback.adopt(self.learner, state, event.frame)
        effects = feedback.adopt(self.learner, state, event.frame)
        self.learner.tuned(state.overrides).take_over(state.replica)  # settings may be others since
        return effects

    def refused(self, state: TrainerState, heading: Heading) -> list[Effect] | None:
        """What is to be done about a frame that cannot be taken; None: it can be."""
        return feedback.refused(state, heading)

    def awaits(self, state: TrainerState) -> bool:
        """Whether something that was sent is not in the model yet, as far as is known."""
        return bool(state.pending)

    @abstractmethod
    def _learn(self, state: TrainerState, event: BatchArrived) -> list[Effect]:
        """Take in a batch."""

    def _advance(self, state: TrainerState, partition: int) -> list[Effect]:
        """Go on with what waits: nothing does where every sample is learned when it comes."""
        return []

    def _restore_partition(self, state: TrainerState, event: PartitionRestored) -> list[Effect]:
        state.progress[event.partition] = event.progress
        self._restore_residual(state, event)
        feedback.restore_pending(self.learner, state, event.partition, event.pending)
        return []

    def _restore_residual(self, state: TrainerState, event: PartitionRestored) -> None:
        if self._lossy is not None:
            state.residuals[event.partition] = self._lossy.restored(event.residual)

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

    @staticmethod
    def _next(state: TrainerState, partition: int, account: Account, newest_ms: int) -> Update:
        """The partition's next update, before anything is learned."""
        sequence = state.progress.get(partition, Progress()).sequence + 1
        return Update(
            partition, sequence, state.worker, state.version, account, NOTHING, {}, {}, newest_ms
        )

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

    def _names(self, state: TrainerState, delta: Delta, samples: Samples) -> Told:
        """What an update tells of names: those of features that the frame does not know."""
        new = delta.keys[~state.known.holds(state.replica.vocabulary.find(delta.keys))]
        # the model keeps no more; an update of millions of names would be too large to be read
        most = self.learner.learning.features.names_kept
        return told(samples.names, delta.keys, new[:most])
