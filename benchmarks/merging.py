"""What mode ``local`` costs in accuracy: by workers, by samples a merge, and by optimizer.

The job's own trainers, sequencer and model, without Flink and Kafka: K workers take turns, each
learns B samples and sends its update, and the weights come back when each has learned so many more
batches. The samples are dealt like cards, so every worker sees the same stream, thinned.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.workloads import WORKLOADS, records
from flink_ol.core import model as models
from flink_ol.core import sequencer as sequencers
from flink_ol.core import trainer as trainers
from flink_ol.core.evaluation import metrics
from flink_ol.core.learner import Learner
from flink_ol.core.messages import WEIGHTS, Frame, Update, Worker
from flink_ol.core.modes import sequencer_of, trainer_of
from flink_ol.core.quantisation import Numbers
from flink_ol.core.samples import Samples, joined
from flink_ol.core.training import Local, Training
from flink_ol.job.spec import Spec
from flink_ol.wire.formats import sample_format

OPTIMIZERS: dict[str, dict[str, Any]] = {
    "sgd": {"name": "sgd", "learning_rate": 0.01},
    "adagrad": {"name": "adagrad"},
    "ftrl": {"name": "ftrl"},
    "adam": {"name": "adam", "learning_rate": 0.001},
}
_DECODED = 4096  # records at once


class Turns:
    """A job of so many workers on a partition each; ``late``: batches of a worker, at least 0."""

    def __init__(
        self,
        learner: Learner,
        workers: int,
        late: int,
        training: Training | None = None,
        numbers: Numbers | None = None,
    ) -> None:
        """``training``: with so many workers; None: mode local as it is.

        ``numbers``: what weights frames tell changes in.
        """
        self._learner, training = learner, training or Local(workers=workers)
        self._trainer = trainer_of(training, learner, {})
        self._sequencer = sequencer_of(training, learner, {WEIGHTS: 0}, frozenset(range(workers)))
        self._model = models.Model(learner, "turns", "", numbers=numbers)
        self._learn = [self._trainer.initial(Worker(i, 1)) for i in range(workers)]
        self._order = self._sequencer.initial()
        self.model = self._model.initial()
        self._frames: list[list[Frame]] = [[] for _ in range(late + 1)]  # oldest round first
        self._now_ms = 0
        self.dead_letters = 0

    def round(self, batches: Sequence[Samples]) -> None:
        """Every worker learns its batch by the model of ``late`` rounds before the last one."""
        self._show(self._frames.pop(0))
        self._frames.append([])
        for partition, samples in enumerate(batches):
            arrived = trainers.BatchArrived(partition, samples, (), 0)
            for effect in self._trainer.handle(self._learn[partition], arrived):
                if isinstance(effect, trainers.SayHello):
                    self._take(sequencers.HelloArrived(effect.hello))
                elif isinstance(effect, trainers.SendUpdate):
                    self._take(sequencers.UpdateArrived(self.passed(effect.update)))
                elif isinstance(effect, trainers.DeadLetter):
                    self.dead_letters += 1

    def replay(self, dealt: Sequence[Samples], interval: int) -> dict[str, float]:
        """Rounds of ``interval`` samples of every worker until none is left: the metrics."""
        for start in range(0, max(map(len, dealt)), interval):
            left = [samples.rows(min(start, len(samples)), len(samples)) for samples in dealt]
            self.round([samples.rows(0, min(interval, len(samples))) for samples in left])
        return metrics(self.model.sums, self._learner.learning, self.model.recent.to_arrays())

    def passed(self, update: Update) -> Update:
        """The update as it reaches the sequencer."""
        return update

    def published(self, frame: Frame) -> Frame:
        """The frame as it reaches the trainers."""
        return frame

    def _take(self, event: sequencers.Event) -> None:
        self._now_ms += 1
        for effect in self._sequencer.handle(self._order, event, self._now_ms):
            if isinstance(effect, sequencers.Append):
                arrived = models.EntryArrived(effect.entry)
                for told in self._model.handle(self.model, arrived):
                    if isinstance(told, models.PublishWeights):
                        self._frames[-1].append(self.published(told.frame))

    def _show(self, frames: Sequence[Frame]) -> None:
        whole = [i for i, frame in enumerate(frames) if frame.parent is None]
        for frame in frames[whole[-1] if whole else 0 :]:  # what is before is taken back at once
            for state in self._learn:
                for effect in self._trainer.handle(state, trainers.FrameArrived(frame)):
                    assert isinstance(effect, trainers.SayHello)
                    self._take(sequencers.HelloArrived(effect.hello))


class Curves(NamedTuple):
    """What to find out."""

    workload: str  # a name, or a path of lines of {"x", "y"}, gzip or not
    workers: tuple[int, ...]
    intervals: tuple[int, ...]  # samples a merge
    optimizers: tuple[str, ...]
    samples: int  # of the stream, at most
    late: int


def figures(curves: Curves, tell: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """Progressive accuracy and log loss for each optimizer, number of workers and interval."""
    payloads, sections = stream(curves.workload, curves.samples)
    for workers in curves.workers:
        for optimizer in curves.optimizers:
            spec = Spec.model_validate(
                {"name": "curves", **sections, "optimizer": OPTIMIZERS[optimizer]}
            )
            learner = Learner(spec.learning, spec.metrics.evaluation)
            dealt = deal(spec, payloads, workers)
            for interval in curves.intervals:
                at = {"optimizer": optimizer, "workers": workers, "interval": interval}
                found = at | replayed(learner, dealt, interval, curves.late)
                tell(", ".join(f"{name} {figure}" for name, figure in found.items()))
                yield found


def stream(workload: str, samples: int) -> tuple[list[bytes], Mapping[str, Any]]:
    """The first records, as JSON, and the sections of the specification but the optimizer's."""
    if workload in WORKLOADS:
        return records(workload, "json", samples), WORKLOADS[workload].spec
    data = Path(workload).read_bytes()
    data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    return data.splitlines()[:samples], {}


def deal(spec: Spec, payloads: Sequence[bytes], workers: int) -> list[Samples]:
    """Every worker's samples, in order."""
    dealt = []
    for worker in range(workers):
        decoder = sample_format("json", spec.samples.fields, spec.learning)
        own, parts = payloads[worker::workers], []
        for start in range(0, len(own), _DECODED):
            block = own[start : start + _DECODED]
            offsets = np.arange(start, start + len(block), dtype=np.int64)
            samples, rejections = decoder.decode(block, offsets)
            if rejections:
                raise RuntimeError(f"record {rejections[0].offset}: {rejections[0].reason}")
            parts.append(samples)
        dealt.append(joined(parts))
    return dealt


def replayed(
    learner: Learner, dealt: Sequence[Samples], interval: int, late: int
) -> dict[str, float]:
    """Accuracy and log loss of predicting every sample by the replica that then learns from it.

    Dead letters are samples that would have made the model infinite or not a number.
    """
    turns = Turns(learner, len(dealt), late)
    found = turns.replay(dealt, interval)
    told = {name: round(float(found[name]), 6) for name in ("accuracy", "log_loss")}
    return told | {"dead_letters": turns.dead_letters}
