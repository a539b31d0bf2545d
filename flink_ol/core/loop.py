"""The whole loop of one worker in one process: trainer, sequencer and model taking turns.

What `flink-ol replay` runs, and the plain twin of the streamed job in tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flink_ol.core import model as models
from flink_ol.core import sequencer as sequencers
from flink_ol.core import trainer as trainers
from flink_ol.core.learner import Learner
from flink_ol.core.messages import Entry, Snapshot, Worker
from flink_ol.core.model import Model, PublishMetrics, PublishWeights
from flink_ol.core.samples import Rejection, Samples
from flink_ol.core.sequencer import Append, Sequencer
from flink_ol.core.trainer import Trainer


class Loop:
    """Learns batch by batch; every update is merged and fed back before the next batch."""

    def __init__(
        self, learner: Learner, job: str, spec_hash: str, clock: Callable[[], int]
    ) -> None:
        """``clock`` gives milliseconds; it only dates what comes out."""
        self._clock = clock
        self._trainer, self._model = Trainer(learner), Model(learner, job, spec_hash)
        self._sequencer = Sequencer(learner.learning, {sequencers.WEIGHTS: 0})
        self._trainer_state = self._trainer.initial(Worker(0, 1))
        self._sequencer_state = sequencers.SequencerState()
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
        dead_letters = []
        arrived = trainers.BatchArrived(partition, samples, rejections, newest_ms)
        for effect in self._trainer.handle(self._trainer_state, arrived):
            if isinstance(effect, trainers.SayHello):
                self._order(sequencers.HelloArrived(effect.hello))
            elif isinstance(effect, trainers.SendUpdate):
                self._order(sequencers.UpdateArrived(effect.update))
            elif isinstance(effect, trainers.DeadLetter):
                dead_letters.append(effect.rejection)
        return dead_letters

    def command(self, fields: Mapping[str, Any]) -> str | None:
        """Order a control command as wire.control reads it: why it was refused, else None."""
        self._order(sequencers.CommandArrived(fields))
        told = self._last.command if self._last else None
        return told.get("refused") if told else None

    def _order(self, event: sequencers.Event) -> None:
        for effect in self._sequencer.handle(self._sequencer_state, event, self._clock()):
            if isinstance(effect, Append):
                self._last = effect.entry
                arrived = models.EntryArrived(effect.entry)
                for told in self._model.handle(self._model_state, arrived):
                    if isinstance(told, PublishWeights):
                        frame = trainers.FrameArrived(told.frame)
                        self._trainer.handle(self._trainer_state, frame)

    def snapshot(self) -> Snapshot:
        """The model as it stands."""
        return self._model.snapshot(self._model_state, self._clock())

    def metrics(self) -> PublishMetrics:
        """The evaluation so far; at least one batch must have been learned."""
        if self._last is None:
            raise ValueError("nothing was learned yet: call batch() first")
        return self._model.metrics(self._model_state, self._last)
