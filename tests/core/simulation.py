"""A whole job without Flink: trainers, sequencer, model, channels, checkpoints and crashes.

Flink's guarantees are modelled (channels in order, aligned checkpoints, state by key); the
feedback topic is not rolled back by a crash, so it holds ghosts afterwards.
"""

from __future__ import annotations

import copy
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from flink_ol.core import model, sequencer, trainer
from flink_ol.core.learner import Learner
from flink_ol.core.ledger import Account, Tally
from flink_ol.core.messages import Entry, Frame, Update, Worker
from flink_ol.core.modes.local import LocalSequencer, LocalTrainer
from flink_ol.core.samples import Rejection, Samples

FEATURES = 3
KEYS = np.array([11, -5, 7], np.int64)
NAMES = {11: "a", -5: "b", 7: "c"}


def samples(partition: int, start: int, stop: int) -> Samples:
    """Samples ``start`` to ``stop - 1`` of a partition: the same at every replay."""
    n = stop - start
    values, labels = np.empty((n, FEATURES)), np.empty(n)
    for row, offset in enumerate(range(start, stop)):
        rng = np.random.default_rng((partition, offset))
        values[row] = rng.normal(size=FEATURES)
        labels[row] = float(values[row] @ (1.0, -2.0, 0.5) + rng.normal() > 0)
    return Samples(
        np.arange(n + 1, dtype=np.int64) * FEATURES,
        np.tile(KEYS, n),
        values.ravel(),
        np.ones(n * FEATURES, bool),
        labels,
        np.ones(n),
        np.arange(start, stop, dtype=np.int64),
        NAMES,
    )


@dataclass
class Keyed:
    """The trainer's keyed state of one partition."""

    progress: trainer.Progress | None = None
    pending: dict[int, Update] = field(default_factory=dict)


@dataclass
class Checkpoint:
    offsets: dict[int, int]
    keyed: dict[int, Keyed]
    frames: list[list[Frame]]  # of a worker: a whole one and the changes since
    sequencer: sequencer.SequencerState
    model: model.ModelState
    log: int  # entries folded into the model
    feedback: int


class Simulation:
    """One job; every method is one thing that can happen."""

    def __init__(self, learner: Learner, workers: int, partitions: int) -> None:
        self.learner, self.partitions = learner, partitions
        self.trainer = LocalTrainer(learner)
        self.sequencer = LocalSequencer(
            learner.learning, {"weights": 0, "snapshot": 40, "metrics": 40}
        )
        self.model = model.Model(learner, "simulated", "hash")
        self.feedback: list[Frame] = []
        self.now_ms, self._lives = 1_000, 0
        self.log: list[Entry] = []  # the entries in the model: a crash takes some back
        self.sent: list[Entry] = []  # every entry ever
        self.dead_letters: list[tuple[int, Rejection]] = []
        self.snapshots: list = []
        first = self.model.initial()
        first.frames.small_bytes = 0  # so that frames are changes too
        self.checkpointed = Checkpoint(
            dict.fromkeys(range(partitions), 0),
            {p: Keyed() for p in range(partitions)},
            [[] for _ in range(workers)],
            sequencer.SequencerState(),
            first,
            0,
            0,
        )
        self.crash(workers)

    def crash(self, workers: int | None = None) -> None:
        """Everything since the last checkpoint is gone, but for what went out to Kafka."""
        kept = copy.deepcopy(self.checkpointed)
        workers = workers or len(kept.frames)
        self._lives += 1
        self.offsets, self.keyed = kept.offsets, kept.keyed
        self.frames = [list(kept.frames[i % len(kept.frames)]) for i in range(workers)]
        self.trainers = [
            self.trainer.initial(Worker(i, 1_000 * self._lives + i)) for i in range(workers)
        ]
        for state, frames in zip(self.trainers, self.frames, strict=True):
            for frame in frames:
                self.trainer.handle(state, trainer.FrameRestored(copy.deepcopy(frame)))
        self.sequencer_state = kept.sequencer
        self.sequencer_state.opened = False
        self.model_state = kept.model
        del self.log[kept.log :]
        self.read = [kept.feedback] * workers
        self.channels: list[deque] = [deque() for _ in range(workers)]

    def batch(self, partition: int, size: int, poison: bool = False) -> None:
        """A window of ``size`` records of the partition; with poison, its first is rejected."""
        worker = partition % len(self.trainers)
        state, keyed = self.trainers[worker], self.keyed[partition]
        if partition not in state.progress:
            restored = trainer.PartitionRestored(
                partition,
                keyed.progress or trainer.Progress(),
                copy.deepcopy(list(keyed.pending.values())),
            )
            self.trainer.handle(state, restored)
        start = self.offsets[partition]
        self.offsets[partition] = start + size
        rejections = [Rejection(start, "poison")] if poison else []
        arrived = trainer.BatchArrived(
            partition, samples(partition, start + poison, start + size), rejections, self.now_ms
        )
        for effect in self.trainer.handle(state, arrived):
            if isinstance(effect, trainer.SendUpdate):
                keyed.pending[effect.update.sequence] = copy.deepcopy(effect.update)
                self.channels[worker].append(sequencer.UpdateArrived(copy.deepcopy(effect.update)))
            elif isinstance(effect, trainer.SaveProgress):
                keyed.progress = effect.progress
            elif isinstance(effect, trainer.SayHello):
                self.channels[worker].append(sequencer.HelloArrived(effect.hello))
            elif isinstance(effect, trainer.ForgetUpdates):
                for sequence in effect.sequences:
                    del keyed.pending[sequence]
            elif isinstance(effect, trainer.DeadLetter):
                self.dead_letters.append((effect.partition, effect.rejection))

    def deliver(self, worker: int) -> None:
        """The sequencer takes the next message of the worker's channel."""
        channel = self.channels[worker % len(self.channels)]
        if channel:
            self._order(channel.popleft())

    def tick(self, ms: int) -> None:
        """Time passes; the sequencer's timer fires if it is due."""
        self.now_ms += ms
        if 0 < self.sequencer_state.wake_ms <= self.now_ms and self.sequencer_state.opened:
            self._order(sequencer.TimeCame())

    def tune(self, rate: float) -> None:
        """Somebody sets the learning rate; one that is not above 0 is refused."""
        values = {"optimizer.learning_rate": rate}
        self._order(sequencer.CommandArrived({"command": "set", "values": values}))

    def _order(self, event: sequencer.Event) -> None:
        self.now_ms += 1
        for effect in self.sequencer.handle(self.sequencer_state, event, self.now_ms):
            if isinstance(effect, sequencer.Append):
                self.log.append(copy.deepcopy(effect.entry))
                self.sent.append(self.log[-1])
                for told in self.model.handle(self.model_state, model.EntryArrived(effect.entry)):
                    if isinstance(told, model.PublishWeights):
                        self.feedback.append(told.frame)
                    elif isinstance(told, model.PublishSnapshot):
                        self.snapshots.append(told.snapshot)

    def feed_back(self, worker: int, frames: int) -> None:
        """The worker reads the next frames of the feedback topic."""
        worker %= len(self.trainers)
        for frame in self.feedback[self.read[worker] : self.read[worker] + frames]:
            self._show(worker, frame)
            self.read[worker] += 1

    def show_again(self, worker: int, index: int) -> None:
        """A frame comes again, or a ghost shows up."""
        if self.feedback:
            worker %= len(self.trainers)
            self._show(worker, self.feedback[index % len(self.feedback)])

    def _show(self, worker: int, frame: Frame) -> None:
        state = self.trainers[worker]
        before = state.version
        for effect in self.trainer.handle(state, trainer.FrameArrived(copy.deepcopy(frame))):
            assert isinstance(effect, trainer.SayHello)
            self.channels[worker].append(sequencer.HelloArrived(effect.hello))
        if state.version != before:
            kept = self.frames[worker] if frame.parent is not None else []
            self.frames[worker] = [*kept, copy.deepcopy(frame)]

    def checkpoint(self) -> None:
        """An aligned checkpoint: what is in the channels reaches the sequencer before."""
        for channel in self.channels:
            while channel:
                self._order(channel.popleft())
        state = copy.deepcopy(
            Checkpoint(
                self.offsets,
                self.keyed,
                self.frames,
                self.sequencer_state,
                self.model_state,
                len(self.log),
                min(self.read),
            )
        )
        self.checkpointed = state

    def rescale(self, workers: int) -> None:
        """Stop with a savepoint, go on with another number of workers."""
        self.checkpoint()
        self.crash(workers)

    def drain(self) -> None:
        """Let everything arrive."""
        for channel in self.channels:
            while channel:
                self._order(channel.popleft())
        for worker in range(len(self.trainers)):
            self.feed_back(worker, len(self.feedback))

    def expected(self) -> dict[int, Account]:
        """What the ledger must say of everything produced, poison apart."""
        return {
            p: Account(Tally.of(np.arange(n, dtype=np.int64)), Tally())
            for p, n in self.offsets.items()
            if n
        }
