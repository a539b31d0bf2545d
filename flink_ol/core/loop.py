"""The whole loop of one worker in one process: trainer, sequencer and model taking turns.

What `flink-ol replay` runs, and the plain twin of the streamed job in tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from flink_ol.core import model as models
from flink_ol.core import sequencer as sequencers
from flink_ol.core import trainer as trainers
from flink_ol.core.learner import Learner
from flink_ol.core.messages import WEIGHTS, Entry, Snapshot, Worker
from flink_ol.core.model import Model, PublishMetrics, PublishWeights
from flink_ol.core.modes import sequencer_of, trainer_of
from flink_ol.core.samples import Rejection, Samples
from flink_ol.core.sequencer import Append
from flink_ol.core.training import Local, Training

_LOCAL = Local()
_ENDLESS: Mapping[int, int] = MappingProxyType({})


class Loop:
    """Learns batch by batch; every update is merged and fed back before the next batch."""

    def __init__(
        self,
        learner: Learner,
        job: str,
        spec_hash: str,
        clock: Callable[[], int],
        training: Training = _LOCAL,
        ends: Mapping[int, int] = _ENDLESS,
    ) -> None:
        """``clock`` gives milliseconds; it only dates what comes out.

        ``ends``: partition -> offset after its last sample, where training makes passes; else
        partition 0 is the only one.
        """
        self._clock = clock
        self._model = Model(learner, job, spec_hash)
        self._trainer = trainer_of(training, learner, ends)
        shards = frozenset(ends or (0,))
        self._sequencer = sequencer_of(training, learner, {WEIGHTS: 0}, shards)
        self._trainer_state = self._trainer.initial(Worker(0, 1))
        self._sequencer_state = self._sequencer.initial()
        self._model_state = self._model.initial()
        self._last: Entry | None = None

    def batch(
        self,
        partition: int,
        samples: Samples,
        rejections: Sequence[Rejection] = (),
        newest_ms: int = 0,
    ) -> list[Rejection]:
        """Learn from one batch; all records that could not be learned from."""
        dead_letters: list[Rejection] = []
        event: trainers.Event | None
        event = trainers.BatchArrived(partition, samples, rejections, newest_ms)
        while event is not None:
            effects = self._trainer.handle(self._trainer_state, event)
            event = None
            for effect in effects:
                if isinstance(effect, trainers.SayHello):
                    self._order(sequencers.HelloArrived(effect.hello), dead_letters)
                elif isinstance(effect, trainers.SendUpdate):
                    self._order(sequencers.UpdateArrived(effect.update), dead_letters)
                    if not effect.pending:  # samples may wait for what this made of the model
                        event = trainers.TimeCame(partition)
                elif isinstance(effect, trainers.DeadLetter):
                    dead_letters.append(effect.rejection)
        return dead_letters

    def command(self, fields: Mapping[str, Any]) -> str | None:
        """Order a control command as wire.control reads it: why it was refused, else None."""
        self._order(sequencers.CommandArrived(fields), [])
        told = self._last.command if self._last else None
        return told.get("refused") if told else None

    def _order(self, event: sequencers.Event, dead_letters: list[Rejection]) -> None:
        for effect in self._sequencer.handle(self._sequencer_state, event, self._clock()):
            if isinstance(effect, Append):
                self._last = effect.entry
                arrived = models.EntryArrived(effect.entry)
                for told in self._model.handle(self._model_state, arrived):
                    if isinstance(told, PublishWeights):
                        frame = trainers.FrameArrived(told.frame)
                        self._trainer.handle(self._trainer_state, frame)
            elif isinstance(effect, sequencers.RejectSample):
                dead_letters.append(effect.rejection)

    def snapshot(self) -> Snapshot:
        """The model as it stands."""
        return self._model.snapshot(self._model_state, self._clock())

    def metrics(self) -> PublishMetrics:
        """The evaluation so far; at least one batch must have been learned."""
        if self._last is None:
            raise ValueError("nothing was learned yet: call batch() first")
        return self._model.metrics(self._model_state, self._last)
