"""Sequencer and model, what they publish, and a trainer that is fed with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from flink_ol.core import trainer
from flink_ol.core.config import Features, Ftrl, Learning, LinearModel, Sgd
from flink_ol.core.families.fm import FmModel
from flink_ol.core.families.mlp import MlpModel
from flink_ol.core.features.admission import Admission
from flink_ol.core.learner import Learner
from flink_ol.core.messages import Frame, Hello, Update, Worker
from flink_ol.core.model import EntryArrived, Model, PublishWeights
from flink_ol.core.modes.local import LocalSequencer
from flink_ol.core.quantisation import Numbers
from flink_ol.core.samples import Samples
from flink_ol.core.sequencer import Append, HelloArrived, SequencerState, UpdateArrived
from tests.core.streams import samples_of

ME = Worker(0, 11)


def learning(**fields: Any) -> Learning:
    settings = {
        "task": "binary",
        "classes": None,
        "model": LinearModel(),
        "features": Features(scale="standard"),
        "optimizer": Sgd(learning_rate=0.05),
        "seed": 3,
        **fields,
    }
    return Learning(**settings)


SETTINGS = {
    "standardised sgd": learning(),
    "ftrl": learning(features=Features(scale="none"), optimizer=Ftrl()),
    "fm": learning(model=FmModel(factors=2), features=Features(scale="none")),
    "mlp": learning(model=MlpModel(hidden=(3,)), features=Features(scale="none")),
    "min-max, means": learning(features=Features(scale="min_max", missing="mean")),
    # what is forgotten where too many wait is each replica's own until the next whole frame
    "admission": learning(
        features=Features(scale="standard", admission=Admission(occurrences=3, waiting=4096))
    ),
}


def batch(number: int, partition: int = 0, size: int = 6, features: int = 400) -> Samples:
    """Sparse rows of a long-tailed vocabulary: the same for the same arguments."""
    rng = np.random.default_rng((number, partition))
    rows, labels = [], []
    for _ in range(size):
        keys = np.unique(rng.zipf(1.4, 5) % features)
        rows.append([(int(key) * 7 - 3, float(rng.normal()), bool(key % 3)) for key in keys])
        labels.append(float(rng.random() < 0.5))
    return samples_of(rows, labels, first_offset=number * size)


class Job:
    """Sequencer and model, and what they publish: changes, and the whole at the same versions."""

    def __init__(self, learner: Learner, numbers: Numbers | None = None) -> None:
        self.learner = learner
        self.sequencer = LocalSequencer(learner.learning, {"weights": 0})
        self.sequencer_state = SequencerState()
        self.model = Model(learner, "job", "hash", numbers=numbers)
        self.state = self.model.initial()
        self.state.frames.small_bytes = 0
        self.now_ms = 1_000
        self.frames: list[Frame] = []
        self.wholes: list[Frame] = []

    def hello(self, worker: Worker = ME) -> None:
        self._order(HelloArrived(Hello(worker)))

    def take(self, update: Update) -> None:
        self._order(UpdateArrived(update))

    def _order(self, event: HelloArrived | UpdateArrived) -> None:
        self.now_ms += 1
        for effect in self.sequencer.handle(self.sequencer_state, event, self.now_ms):
            if not isinstance(effect, Append):
                continue
            for told in self.model.handle(self.state, EntryArrived(effect.entry)):
                if isinstance(told, PublishWeights):
                    self.frames.append(told.frame)
                    self.wholes.append(self.model.snapshot(self.state, 0).frame)


def learn(
    machine: trainer.Trainer, state: trainer.TrainerState, number: int, partition: int = 0
) -> list[trainer.Effect]:
    arrived = trainer.BatchArrived(partition, batch(number, partition), [], 0)
    return machine.handle(state, arrived)


def updates(effects: Sequence[trainer.Effect]) -> list[Update]:
    return [effect.update for effect in effects if isinstance(effect, trainer.SendUpdate)]


def show(
    machine: trainer.Trainer, state: trainer.TrainerState, frame: Frame
) -> list[trainer.Effect]:
    return machine.handle(state, trainer.FrameArrived(frame))
