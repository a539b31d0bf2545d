"""Mode ``sync``: rounds in which every shard contributes, and the model takes one step.

A shard is a partition. Its part of a round is the gradient of its next samples in offset order at
the model of the round before; the parts are summed in the order of the shards, so that results
repeat to the bit. A shard that is late has its contribution refused: its samples join the next
round, and until it contributes again no round waits for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from flink_ol.core.config import Learning
from flink_ol.core.learner import Learner
from flink_ol.core.messages import METRICS, WEIGHTS, Pace, Update
from flink_ol.core.modes.gradients import Contribution, GradientSequencer, GradientTrainer
from flink_ol.core.residual import undone
from flink_ol.core.samples import Rejection, Samples
from flink_ol.core.sequencer import (
    DropContributions,
    Effect,
    KeepContribution,
    SequencerState,
)
from flink_ol.core.trainer import (
    BatchArrived,
    KeepResidual,
    PartitionRestored,
    Progress,
    SaveProgress,
    Sent,
    TrainerState,
)
from flink_ol.core.trainer import Effect as TrainerEffect
from flink_ol.core.training import Sync
from flink_ol.core.waiting_room import Batch, Room


class SyncTrainer(GradientTrainer):
    """Contributes to a round once it holds the round's model and enough samples."""

    refusable = True

    def __init__(self, learner: Learner, training: Sync, ends: Mapping[int, int]) -> None:
        super().__init__(learner, training)
        self._round_samples, self._passes = training.round_samples, training.passes
        self._ends, self._steady = ends, training.round_timeout_ms is None

    def _restore_partition(
        self, state: TrainerState, event: PartitionRestored
    ) -> list[TrainerEffect]:
        state.progress[event.partition] = event.progress
        if self._passes is not None:  # what is stored are whole batches
            end = self._end(state, event.partition)
            waiting = [
                Batch(one.number, *_before(one.samples, one.rejections, end), one.newest_ms)
                for one in event.waiting
            ]
            event = event._replace(waiting=waiting)
        return super()._restore_partition(state, event)

    def _learn(self, state: TrainerState, event: BatchArrived) -> list[TrainerEffect]:
        if self._passes is None:
            return super()._learn(state, event)
        partition = event.partition
        progress = state.progress.get(partition, Progress())
        end = self._end(state, partition)
        samples, rejections = _before(event.samples, event.rejections, end)
        event = event._replace(samples=samples, rejections=rejections)
        state.progress[partition] = progress._replace(end=end)
        if len(event.samples) or event.rejections:
            effects = super()._learn(state, event)
        else:  # nothing of it is ever needed
            effects = [*self._greet(state, event), *self._advance(state, partition)]
        if progress.end != end:
            effects.append(SaveProgress(partition, state.progress[partition]))
        return effects

    def _end(self, state: TrainerState, partition: int) -> int:
        """Offset after the partition's last sample."""
        # once a pass has begun it stays, whatever a later submission finds
        end = state.progress.get(partition, Progress()).end
        return self._ends.get(partition, 0) if end < 0 else end

    def awaits(self, state: TrainerState) -> bool:
        sent = (progress.sent for progress in state.progress.values())
        return any(one is not None and state.pace.round <= one.round for one in sent)

    def _settle(self, state: TrainerState, partition: int, room: Room) -> list[TrainerEffect]:
        progress = state.progress.get(partition, Progress())
        sent = progress.sent
        effects: list[TrainerEffect] = []
        if sent is None or state.pace.round <= sent.round:
            return effects
        if state.acknowledged.get(partition, 0) < progress.sequence:
            state.late += 1
            progress = progress._replace(sent=None, sequence=progress.sequence - 1)
            if (residual := state.residuals.get(partition)) is not None:
                effects += (KeepResidual(partition, change) for change in undone(residual))
        else:
            progress = self._done(progress, sent, room)
        state.progress[partition] = progress
        return effects

    def _done(self, progress: Progress, sent: Sent, room: Room) -> Progress:
        passes = progress.passes + sent.ends_pass
        if self._passes is None or passes == self._passes:
            room.let_go(sent.samples, sent.through)
        else:
            room.position = 0 if sent.ends_pass else room.position + sent.samples
            room.told = min(max(room.told, sent.through), room.last_number)
        return progress._replace(sent=None, passes=passes, position=room.position, told=room.told)

    def _blocked(self, state: TrainerState, partition: int, room: Room) -> bool:
        progress = state.progress.get(partition, Progress())
        if self._passes is not None:
            return bool(room.batches)
        return progress.sent is not None or room.waiting >= (self._round_samples or 1)

    def _due(self, state: TrainerState, partition: int, room: Room) -> Contribution | None:
        progress = state.progress.get(partition, Progress())
        if progress.sent is not None:
            return None
        count, ends = self._round_samples or room.waiting, False
        if self._passes is None:
            # bad records alone would fill the room; windows decide, so not where results repeat
            if not self._steady and room.waiting == 0 and room.rejected >= count:
                return Contribution(0, state.pace.round)
        else:
            if progress.passes == self._passes or state.pace.passes < progress.passes:
                return None  # the others have not done with the pass
            if not room.batches:
                return None
            whole = room.last_offset >= self._end(state, partition) - 1
            if self._round_samples is None and not whole:
                return None
            ends = whole and room.waiting <= count
            count = min(count, room.waiting) if ends else count
        if room.waiting < count or not (room.waiting or ends):
            return None
        return Contribution(count, state.pace.round, ends)

    def _sent(
        self, state: TrainerState, partition: int, room: Room, due: Contribution, through: int
    ) -> None:
        sent = Sent(due.round, due.samples, due.ends_pass, through)
        state.progress[partition] = state.progress[partition]._replace(sent=sent)


def _before(
    samples: Samples, rejections: Sequence[Rejection], end: int
) -> tuple[Samples, Sequence[Rejection]]:
    """A batch without what came after the input's end."""
    within = samples.rows(0, int(np.searchsorted(samples.offsets, end)))
    return within, [one for one in rejections if one.offset < end]


class SyncSequencer(GradientSequencer):
    """Gathers a round's contributions; one entry for all."""

    def __init__(
        self,
        learning: Learning,
        intervals_ms: Mapping[str, int],
        training: Sync,
        shards: frozenset[int],
    ) -> None:
        super().__init__(learning, intervals_ms, training.gradient)
        self._timeout_ms, self._passes = training.round_timeout_ms, training.passes
        self._shards = shards

    def _order(self, state: SequencerState, update: Update, now_ms: int) -> list[Effect]:
        state.idle.discard(update.partition)
        if update.round < state.pace.round:
            state.late += 1  # its trainer sends the samples again
            return []
        self._expect(state, update)
        effects: list[Effect] = []
        update = self._sound(update, effects)
        state.contributions[update.partition] = update
        effects.append(KeepContribution(update))
        if self._timeout_ms is not None and not state.deadline_ms:
            state.deadline_ms = now_ms + self._timeout_ms
        if state.contributions.keys() >= self._shards - state.idle - state.resting:
            effects += self._close(state, now_ms)
        return effects + self._wake(state)

    def _come(self, state: SequencerState, now_ms: int) -> list[Effect]:
        if state.deadline_ms and now_ms >= state.deadline_ms:
            state.idle = set(self._shards) - state.contributions.keys() - state.resting
            return self._close(state, now_ms)
        return []

    def _deadlines(self, state: SequencerState) -> list[int]:
        return [state.deadline_ms] if state.deadline_ms else []

    def _resume(self, state: SequencerState, now_ms: int) -> None:
        if state.contributions and self._timeout_ms is not None:
            state.deadline_ms = now_ms + self._timeout_ms

    def _close(self, state: SequencerState, now_ms: int) -> list[Effect]:
        """The round is done: all that came, in the order of the shards."""
        partitions = sorted(state.contributions)
        updates = tuple(state.contributions.pop(partition) for partition in partitions)
        state.deadline_ms = 0
        passes = state.pace.passes
        for update in updates:
            state.sequences[update.partition] = update.sequence
            if update.ends_pass:
                state.resting.add(update.partition)
        if self._passes is not None and state.resting >= self._shards:
            passes += 1
            state.resting = set()
        state.pace = Pace(state.pace.round + 1, passes)
        state.owed |= self.intervals_ms.keys()
        told = {WEIGHTS} | ({METRICS} if self._passes is not None else set())
        entry = self._step(state, now_ms, updates, self._due(state, now_ms) | told)
        return [DropContributions(tuple(partitions)), entry]
