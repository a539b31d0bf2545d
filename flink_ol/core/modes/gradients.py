"""What the modes share whose updates are gradients at a fixed model: samples wait for their turn.

What came is kept in a waiting room, in memory and in the partition's state, until it is sent (or,
where a contribution can be refused, until the model has it).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from flink_ol.core.config import Learning
from flink_ol.core.evaluation import Sums
from flink_ol.core.features.appending import without_rows
from flink_ol.core.frame_rate import FrameRate
from flink_ol.core.learner import Learner, finite
from flink_ol.core.ledger import Account
from flink_ol.core.messages import GRADIENT, Update
from flink_ol.core.samples import Samples, rejected_of
from flink_ol.core.sequencer import Append, Sequencer, SequencerState
from flink_ol.core.state import Delta
from flink_ol.core.trainer import (
    BatchArrived,
    DeadLetter,
    DropBatches,
    Effect,
    KeepBatch,
    PartitionRestored,
    Progress,
    SaveProgress,
    SendUpdate,
    SlowDown,
    Trainer,
    TrainerState,
    WakeMe,
)
from flink_ol.core.trainer.guards import NOT_FINITE
from flink_ol.core.training import Async, Bounded, Sync, passes_of
from flink_ol.core.waiting_room import Batch, Room

# A turn's samples; in a waiting room that is half full, and in a full one. Weights wait for a part
# of it too; but the first ones come only when all operators have started.
_TURN_HELD_BACK_S, _FIRST_HELD_BACK_S = (0.02, 1.0), (0.02, 30.0)


class Contribution(NamedTuple):
    """What may be sent now: the next samples in line, perhaps none."""

    samples: int
    round: int = 0
    ends_pass: bool = False


class GradientTrainer(Trainer):
    """Sends gradients of the samples in line whenever :meth:`_due` allows."""

    gradients = True

    def __init__(self, learner: Learner, training: Sync | Bounded | Async) -> None:
        super().__init__(learner, training.compression)
        self._most_waiting = training.most_waiting
        self._turn, self._endless = training.turn_samples, passes_of(training) is None

    def _restore_partition(self, state: TrainerState, event: PartitionRestored) -> list[Effect]:
        state.progress[event.partition] = event.progress
        self._restore_residual(state, event)
        position, told = event.progress.position, event.progress.told
        room = state.rooms[event.partition] = Room(position=position, told=told)
        for batch in event.waiting:
            room.put(batch)
        return []

    def _learn(self, state: TrainerState, event: BatchArrived) -> list[Effect]:
        effects = self._greet(state, event)
        partition = event.partition
        room = state.rooms.setdefault(partition, Room())
        number = room.last_number + 1
        room.put(Batch(number, event.samples, event.rejections, event.newest_ms))
        advanced = self._advance(state, partition, number)
        if room.batches and room.batches[-1].number == number:
            effects.append(KeepBatch(partition, number))
        effects += advanced
        waiting = room.waiting + room.rejected
        if waiting > self._most_waiting:
            raise RuntimeError(
                f"{waiting:,} samples of partition {partition} wait for their turn, "
                f"{room.rejected:,} of them rejected, and training.waiting_samples allows "
                f"{self._most_waiting:,}: larger rounds or updates learn faster, and a higher "
                "limit holds more; they are safe in Kafka"
            )
        if 2 * waiting > self._most_waiting and self._endless:
            came = len(event.samples) + len(event.rejections)
            effects.append(SlowDown(self._held_back_s(state, waiting, came)))
        return effects

    def _held_back_s(self, state: TrainerState, waiting: int, came: int) -> float:
        """How long to wait after a batch of ``came`` samples: the longer, the more there are."""
        least, most = _TURN_HELD_BACK_S if state.heard else _FIRST_HELD_BACK_S
        crowding = 2 * waiting / self._most_waiting - 1
        return min(came / (self._turn or 1), 1.0) * least * (most / least) ** crowding

    def _advance(
        self, state: TrainerState, partition: int, just_came: int | None = None
    ) -> list[Effect]:
        """Go on with what waits; ``just_came`` is the batch that is not stored yet."""
        effects: list[Effect] = []
        room = state.rooms.setdefault(partition, Room())
        before = state.progress.get(partition, Progress())
        first = room.first_number
        effects += self._settle(state, partition, room)
        while (due := self._due(state, partition, room)) is not None:
            effects += self._contribute(state, partition, room, due)
        gone = (number for number in range(first, room.first_number) if number != just_came)
        if dropped := tuple(gone):
            effects.append(DropBatches(partition, dropped))
        after = state.progress.get(partition, Progress())
        if after != before:
            effects.append(SaveProgress(partition, after))
        if self._blocked(state, partition, room):
            effects.append(WakeMe(partition))
        return effects

    def _settle(self, state: TrainerState, partition: int, room: Room) -> list[Effect]:
        """Take note of what became of what was sent."""
        return []

    def _blocked(self, state: TrainerState, partition: int, room: Room) -> bool:
        """Whether something waits for the model, not for more samples."""
        return room.waiting > 0

    @abstractmethod
    def _due(self, state: TrainerState, partition: int, room: Room) -> Contribution | None:
        """What may be sent now; None: nothing."""

    @abstractmethod
    def _sent(
        self, state: TrainerState, partition: int, room: Room, due: Contribution, through: int
    ) -> None:
        """``due`` went out, and the progress has its sequence number; ``through``: as taken."""

    def _contribute(
        self, state: TrainerState, partition: int, room: Room, due: Contribution
    ) -> list[Effect]:
        progress = state.progress.get(partition, Progress())
        taken = room.take(due.samples)
        delta, sums, fine = self._gradient(state, taken.samples, progress.label)
        account = taken.account(fine) if progress.passes == 0 else Account()
        effects: list[Effect] = []
        codes: Mapping[str, str] = {}
        if self._lossy is not None:
            delta, _, codes = self._lessen(self._lossy, state, partition, delta, effects)
        update = self._next(state, partition, account, taken.newest_ms)._replace(
            delta=delta,
            sums=sums,
            meaning=GRADIENT,
            round=due.round,
            ends_pass=due.ends_pass,
            codes=codes,
            **self._names(state, delta, taken.samples),
        )
        labels = taken.samples.labels
        label = float(labels[-1]) if len(labels) else progress.label
        state.progress[partition] = progress._replace(sequence=update.sequence, label=label)
        self._sent(state, partition, room, due, taken.through)
        letters = rejected_of(taken.samples, fine, NOT_FINITE, taken.rejections)
        effects += (DeadLetter(partition, letter) for letter in letters)
        return [*effects, SendUpdate(update, pending=False)]

    def _gradient(
        self, state: TrainerState, samples: Samples, label: float
    ) -> tuple[Delta, Sums, np.ndarray]:
        """Gradient and sums, and which samples they are of (samples,) bool.

        The others' gradients are not finite.
        """
        learner, replica = self.learner.tuned(state.overrides), state.replica

        def of(part: Samples) -> tuple[Delta, Sums]:
            # a slot may be of another partition's samples, which this worker just happens to have
            admitted = learner.admitted(replica, part, state.known)
            return learner.gradient(replica, learner.filled(replica, admitted, False), label)

        delta, sums = of(samples)
        fine = np.ones(len(samples), bool)
        if not finite(delta, sums):
            for row in range(len(samples)):
                fine[row] = finite(*of(samples.rows(row, row + 1)))
            if fine.all():  # together they are too much for a number
                fine[:] = False
            delta, sums = of(without_rows(samples, ~fine))
        return delta, sums, fine


class GradientSequencer(Sequencer):
    """Each entry is one step of the model."""

    def __init__(
        self,
        learning: Learning,
        intervals_ms: Mapping[str, int],
        gradient: str,
        frame_rate: FrameRate | None = None,
    ) -> None:
        """``gradient``: the step goes along the ``mean`` of the samples' gradients, or ``sum``."""
        super().__init__(learning, intervals_ms, frame_rate)
        self._mean = gradient == "mean"

    def _step(
        self, state: SequencerState, now_ms: int, updates: tuple[Update, ...], publish: set[str]
    ) -> Append:
        samples = sum(_samples_of(update) for update in updates)
        divisor = float(max(samples, 1)) if self._mean else 1.0
        return self._append(state, now_ms, publish, updates=updates, divisor=divisor)


def _samples_of(update: Update) -> int:
    """How many samples the update's gradient is of."""
    steps = update.delta.arrays.get("steps")
    return 0 if steps is None else int(steps[0])
