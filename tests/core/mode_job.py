"""A job in any mode without Flink: trainers, sequencer, model; crashes and late frames."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from flink_ol.core import model, sequencer, trainer
from flink_ol.core.features.appending import without_rows
from flink_ol.core.learner import Learner
from flink_ol.core.messages import Entry, Frame, Worker
from flink_ol.core.modes import sequencer_of, trainer_of
from flink_ol.core.residual import Change
from flink_ol.core.samples import Rejection, Samples
from flink_ol.core.training import Training
from flink_ol.core.waiting_room import Batch


@dataclass
class Keyed:
    """The trainer's keyed state of one partition."""

    progress: trainer.Progress = field(default_factory=trainer.Progress)
    waiting: dict[int, Batch] = field(default_factory=dict)
    pending: dict[int, Any] = field(default_factory=dict)
    residual: list[Change] = field(default_factory=list)


class ModeJob:
    """One job; ``inputs`` are each partition's samples, fed window by window."""

    def __init__(
        self,
        learner: Learner,
        training: Training,
        inputs: Mapping[int, Samples],
        poison: frozenset[tuple[int, int]] = frozenset(),
    ) -> None:
        self.inputs, self.poison, workers = inputs, poison, training.workers
        ends = {partition: len(samples) for partition, samples in inputs.items()}
        self.machines = [trainer_of(training, learner, ends) for _ in range(workers)]
        self.sequencer = sequencer_of(
            training, learner, {"weights": 0, "metrics": 0}, frozenset(inputs)
        )
        self.model = model.Model(learner, "job", "hash")
        self.now_ms = 1_000
        self.dead_letters: set[tuple[int, int]] = set()
        self.told: list[model.PublishMetrics] = []
        self.log: list[Entry] = []
        self._lives = 0
        first = self.model.initial()
        first.frames.small_bytes = 0  # so that frames are changes too
        kept_frames: list[list[Frame]] = [[] for _ in range(workers)]
        self._kept = (
            dict.fromkeys(inputs, 0),
            {partition: Keyed() for partition in inputs},
            kept_frames,
            self.sequencer.initial(),
            first,
        )
        self.crash()

    def crash(self) -> None:
        """Back to the last checkpoint."""
        kept = copy.deepcopy(self._kept)
        self.fed, self.keyed, self.frames, self.ordered, self.state = kept
        self._lives += 1
        self.ordered.opened, self.ordered.workers, self.ordered.wake_ms = False, {}, 0
        self.states = []
        for index, machine in enumerate(self.machines):
            state = machine.initial(Worker(index, 100 * self._lives + index))
            for frame in self.frames[index]:
                machine.handle(state, trainer.FrameRestored(frame))
            self.states.append(state)
        self.feedback: list[deque[Frame]] = [deque() for _ in self.machines]
        self.channel: deque[sequencer.Event] = deque()

    def checkpoint(self) -> None:
        self.deliver()
        kept = self.fed, self.keyed, self.frames, self.ordered, self.state
        self._kept = copy.deepcopy(kept)

    def feed(self, partition: int, count: int) -> None:
        """The next window of the partition."""
        start = self.fed[partition]
        stop = min(start + count, len(self.inputs[partition]))
        self.fed[partition] = stop
        samples = self.inputs[partition].rows(start, stop)
        fine = np.array(
            [(partition, offset) not in self.poison for offset in samples.offsets], bool
        )
        rejections = [Rejection(int(offset), "poison") for offset in samples.offsets[~fine]]
        samples = without_rows(samples, ~fine)
        self._do(partition, trainer.BatchArrived(partition, samples, rejections, 5))

    def wake(self, partition: int) -> None:
        """The partition's timer fires."""
        self._do(partition, trainer.TimeCame(partition))

    def _do(self, partition: int, event: trainer.Event) -> None:
        index = partition % len(self.machines)
        machine, state, keyed = self.machines[index], self.states[index], self.keyed[partition]
        if partition not in state.progress:
            waiting = [keyed.waiting[number] for number in sorted(keyed.waiting)]
            restored = trainer.PartitionRestored(
                partition,
                keyed.progress,
                list(keyed.pending.values()),
                copy.deepcopy(waiting),
                copy.deepcopy(keyed.residual),
            )
            machine.handle(state, restored)
        for effect in machine.handle(state, event):
            if isinstance(effect, trainer.SendUpdate):
                self.channel.append(sequencer.UpdateArrived(copy.deepcopy(effect.update)))
                if effect.pending:
                    keyed.pending[effect.update.sequence] = copy.deepcopy(effect.update)
            elif isinstance(effect, trainer.SayHello):
                self.channel.append(sequencer.HelloArrived(effect.hello))
            elif isinstance(effect, trainer.SaveProgress):
                keyed.progress = effect.progress
            elif isinstance(effect, trainer.ForgetUpdates):
                for sequence in effect.sequences:
                    del keyed.pending[sequence]
            elif isinstance(effect, trainer.KeepBatch):
                assert isinstance(event, trainer.BatchArrived)
                keyed.waiting[effect.number] = copy.deepcopy(Batch(effect.number, *event[1:]))
            elif isinstance(effect, trainer.KeepResidual):
                keyed.residual.append(copy.deepcopy(effect.change))
            elif isinstance(effect, trainer.DropBatches):
                for number in effect.numbers:
                    del keyed.waiting[number]
            elif isinstance(effect, trainer.DeadLetter):
                self.dead_letters.add((effect.partition, effect.rejection.offset))

    def deliver(self, count: int = 1_000_000) -> None:
        """The sequencer takes what was sent."""
        while self.channel and count:
            self._order(self.channel.popleft())
            count -= 1

    def set(self, values: Mapping[str, Any]) -> None:
        """Somebody changes settings."""
        self._order(sequencer.CommandArrived({"command": "set", "values": values}))

    def tick(self, ms: int) -> None:
        """Time passes; the sequencer's timer fires if it is due."""
        self.now_ms += ms
        if 0 < self.ordered.wake_ms <= self.now_ms:
            self._order(sequencer.TimeCame())

    def _order(self, event: sequencer.Event) -> None:
        for effect in self.sequencer.handle(self.ordered, event, self.now_ms):
            if isinstance(effect, sequencer.RejectSample):
                self.dead_letters.add((effect.partition, effect.rejection.offset))
            if not isinstance(effect, sequencer.Append):
                continue
            self.log.append(effect.entry)
            for told in self.model.handle(self.state, model.EntryArrived(effect.entry)):
                if isinstance(told, model.PublishMetrics):
                    self.told.append(told)
                elif isinstance(told, model.PublishWeights):
                    for queue in self.feedback:
                        queue.append(copy.deepcopy(told.frame))

    def feed_back(self, index: int, count: int = 1_000_000) -> None:
        """The worker reads the next frames."""
        index %= len(self.machines)
        queue = self.feedback[index]
        while queue and count:
            frame = queue.popleft()
            state = self.states[index]
            for effect in self.machines[index].handle(state, trainer.FrameArrived(frame)):
                assert isinstance(effect, trainer.SayHello)
                self.channel.append(sequencer.HelloArrived(effect.hello))
            if state.version == frame.version:
                self.frames[index] = [*(self.frames[index] if frame.parent else []), frame]
            count -= 1

    def settle(self, rounds: int = 400) -> None:
        """Let everything arrive that can."""
        for _ in range(rounds):
            self.deliver()
            for index in range(len(self.machines)):
                self.feed_back(index)
            for partition in self.inputs:
                self.wake(partition)
            if not self.channel and not any(self.feedback):
                return

    def arrays(self) -> dict[str, np.ndarray]:
        """The model's arrays, per feature in the order of the keys."""
        keys = self.state.arrays.vocabulary.keys
        order = keys.argsort()
        return {
            spec.name: self.state.arrays.rows(spec.name)[order]
            if spec.per_feature
            else self.state.arrays.rows(spec.name)
            for spec in self.state.arrays.specs
        }
