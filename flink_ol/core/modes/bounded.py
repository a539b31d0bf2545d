"""Modes ``bounded`` and ``async``: the model takes one step per update.

``bounded`` is the stale synchronous parallel protocol (Ho et al. 2013) over partitions: a shard
starts its next update only on a model in which every shard at work has come within ``staleness``
updates of it. A shard enters at the slowest one's clock and leaves when it has been idle.
"""

from __future__ import annotations

from collections.abc import Mapping

from flink_ol.core.config import Learning
from flink_ol.core.frame_rate import FrameRate
from flink_ol.core.learner import Learner
from flink_ol.core.messages import WEIGHTS, Update
from flink_ol.core.modes.gradients import Contribution, GradientSequencer, GradientTrainer
from flink_ol.core.sequencer import Effect, SequencerState
from flink_ol.core.trainer import Progress, TrainerState
from flink_ol.core.training import Async, Bounded
from flink_ol.core.waiting_room import Room


class AsyncTrainer(GradientTrainer):
    """Sends at once, on whatever model it holds."""

    def __init__(self, learner: Learner, training: Async | Bounded) -> None:
        super().__init__(learner, training)
        self._update_samples = training.update_samples

    def _due(self, state: TrainerState, partition: int, room: Room) -> Contribution | None:
        if room.waiting == 0 and not room.rejected_alone:
            return None
        return Contribution(min(room.waiting, self._update_samples))

    def _sent(
        self, state: TrainerState, partition: int, room: Room, due: Contribution, through: int
    ) -> None:
        room.let_go(due.samples, through)
        progress = state.progress[partition]._replace(position=room.position)
        state.progress[partition] = progress


class BoundedTrainer(AsyncTrainer):
    """Sends while it is not too far ahead."""

    def __init__(self, learner: Learner, training: Bounded) -> None:
        super().__init__(learner, training)
        self._staleness = training.staleness

    def _due(self, state: TrainerState, partition: int, room: Room) -> Contribution | None:
        clocks = state.pace.clocks
        sequence = state.progress.get(partition, Progress()).sequence
        under_way = sequence - state.acknowledged.get(partition, 0)
        if partition not in clocks:
            if under_way:
                return None  # it is not known yet at whose clock it enters
        elif clocks[partition] + under_way - min(clocks.values()) > self._staleness:
            return None
        return super()._due(state, partition, room)


class StepSequencer(GradientSequencer):
    """One entry, one step, per update."""

    def _order(self, state: SequencerState, update: Update, now_ms: int) -> list[Effect]:
        self._expect(state, update)
        state.sequences[update.partition] = update.sequence
        effects: list[Effect] = []
        update = self._sound(update, effects)
        self._move_clock(state, update.partition, now_ms)
        state.owed |= self.intervals_ms.keys()
        effects.append(self._step(state, now_ms, (update,), self._due(state, now_ms)))
        return effects + self._wake(state)

    def _move_clock(self, state: SequencerState, partition: int, now_ms: int) -> None:
        """Count the update of ``partition``."""


class BoundedSequencer(StepSequencer):
    """Keeps the clocks of the shards at work."""

    def __init__(
        self,
        learning: Learning,
        intervals_ms: Mapping[str, int],
        training: Bounded,
        frame_rate: FrameRate | None = None,
    ) -> None:
        super().__init__(learning, intervals_ms, training.gradient, frame_rate)
        self._idle_ms = training.idle_ms

    def _move_clock(self, state: SequencerState, partition: int, now_ms: int) -> None:
        clocks = dict(state.pace.clocks)
        entered = min(clocks.values(), default=0)
        clocks[partition] = clocks[partition] + 1 if partition in clocks else entered
        state.moved_ms[partition] = now_ms
        state.pace = state.pace._replace(clocks=clocks)

    def _come(self, state: SequencerState, now_ms: int) -> list[Effect]:
        working = {
            partition: clock
            for partition, clock in state.pace.clocks.items()
            if now_ms < state.moved_ms[partition] + self._idle_ms
        }
        if len(working) == len(state.pace.clocks):
            return []
        state.pace = state.pace._replace(clocks=working)
        return [self._append(state, now_ms, {WEIGHTS})]

    def _deadlines(self, state: SequencerState) -> list[int]:
        moved = [state.moved_ms[partition] for partition in state.pace.clocks]
        return [min(moved) + self._idle_ms] if moved else []

    def _resume(self, state: SequencerState, now_ms: int) -> None:
        state.moved_ms = dict.fromkeys(state.pace.clocks, now_ms)
