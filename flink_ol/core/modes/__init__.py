"""The modes of training: each has a trainer and a sequencer of its own."""

from __future__ import annotations

from collections.abc import Mapping

from flink_ol.core.frame_rate import FrameRate
from flink_ol.core.learner import Learner
from flink_ol.core.messages import WEIGHTS
from flink_ol.core.modes.bounded import (
    AsyncTrainer,
    BoundedSequencer,
    BoundedTrainer,
    StepSequencer,
)
from flink_ol.core.modes.exact import ExactSequencer, ExactTrainer
from flink_ol.core.modes.local import LocalSequencer, LocalTrainer
from flink_ol.core.modes.sync import SyncSequencer, SyncTrainer
from flink_ol.core.quantisation import Numbers
from flink_ol.core.rounded_frames import codes_of
from flink_ol.core.sequencer import Sequencer
from flink_ol.core.trainer import Trainer
from flink_ol.core.training import Async, Bounded, Exact, Local, Sync, Training

Ends = Mapping[int, int]  # partition -> offset after the last sample of a bounded input


def trainer_of(training: Training, learner: Learner, ends: Ends) -> Trainer:
    """The trainer of the mode; ``ends`` is empty where the input has none."""
    match training:
        case Local():
            return LocalTrainer(learner, training.compression)
        case Sync():
            return SyncTrainer(learner, training, ends)
        case Bounded():
            return BoundedTrainer(learner, training)
        case Async():
            return AsyncTrainer(learner, training)
        case Exact():
            return ExactTrainer(learner)


def sequencer_of(
    training: Training,
    learner: Learner,
    intervals_ms: Mapping[str, int],
    shards: frozenset[int],
    bytes_per_s: int | None = None,
    numbers: Numbers | None = None,
) -> Sequencer:
    """The sequencer of the mode; ``shards`` are the partitions that have samples or may get some.

    ``intervals_ms``: least time between publications of weights, snapshot, metrics.
    ``bytes_per_s``: the most of frames to all trainers together, where nothing else sets their
    pace; None: no matter how many. ``numbers``: what their changes are told in.
    """
    rate = None
    if bytes_per_s is not None:
        rate = FrameRate(learner.specs, bytes_per_s, codes_of(learner, numbers))
    match training:
        case Local():
            # with fewer shards than workers nobody knows which ones will be idle
            workers = training.workers if training.workers <= len(shards) else 1
            return LocalSequencer(
                learner.learning, intervals_ms, training.scale_rate, workers, rate
            )
        case Sync():
            # a round ends with a frame, and nobody goes on without it
            return SyncSequencer(learner.learning, intervals_ms, training, shards)
        case Bounded():
            return BoundedSequencer(learner.learning, intervals_ms, training, rate)
        case Async():
            return StepSequencer(learner.learning, intervals_ms, training.gradient, rate)
        case Exact():
            # nobody waits for weights but at a hello, which is answered whatever the intervals
            rare = {kind: ms for kind, ms in intervals_ms.items() if kind != WEIGHTS}
            return ExactSequencer(rare, learner)
