"""Mode ``exact``: workers decode, hash and pack; one learner takes every step in one order.

The learner is part of the sequencer. Its entries hold the numbers that changed, not differences,
so that the model's replicas have its bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from flink_ol.core.distinct import distinct
from flink_ol.core.evaluation import add_sums
from flink_ol.core.learner import Learner, finite
from flink_ol.core.ledger import Account, account_of
from flink_ol.core.messages import VALUES, Update
from flink_ol.core.names import Told, named, others
from flink_ol.core.samples import Samples, offsets_of, rejected_of
from flink_ol.core.sequencer import (
    Effect,
    KeepLearned,
    RejectSample,
    Sequencer,
    SequencerState,
)
from flink_ol.core.state import State
from flink_ol.core.trainer import (
    BatchArrived,
    Progress,
    SaveProgress,
    SendUpdate,
    Trainer,
    TrainerState,
)
from flink_ol.core.trainer import Effect as TrainerEffect
from flink_ol.core.trainer.guards import NOT_FINITE
from flink_ol.core.unadmitted import Counts, Waiting
from flink_ol.core.vocabulary import Vocabulary


class ExactTrainer(Trainer):
    """Passes decoded samples on."""

    def __init__(self, learner: Learner) -> None:
        super().__init__(learner)
        self._named = Vocabulary()  # features whose names were sent in this life

    def _learn(self, state: TrainerState, event: BatchArrived) -> list[TrainerEffect]:
        effects = self._greet(state, event)
        samples, partition = event.samples, event.partition
        account = account_of(samples.offsets, offsets_of(event.rejections))
        update = self._next(state, partition, account, event.newest_ms)
        update = update._replace(meaning=VALUES, samples=samples, **self._new_names(samples))
        progress = state.progress.get(partition, Progress())._replace(sequence=update.sequence)
        state.progress[partition] = progress
        effects += (SendUpdate(update, pending=False), SaveProgress(partition, progress))
        return effects

    def _new_names(self, samples: Samples) -> Told:
        """What an update tells of names: those not told in this life."""
        before = self._named.size
        self._named.add(samples.keys)
        new = self._named.keys[before:]
        shared = others(samples.names, distinct(samples.keys)[0], new)
        # the learner groups its metrics by names, however many the model keeps
        return Told(names=named(samples.names, new), others=shared)


class ExactSequencer(Sequencer):
    """Learns from the samples of every update before it goes into the log."""

    def __init__(self, intervals_ms: Mapping[str, int], learner: Learner) -> None:
        super().__init__(learner.learning, intervals_ms)
        self._learner = learner
        self._names: dict[int, str] = {}

    def initial(self) -> SequencerState:
        return SequencerState(learned=self._learner.initial())

    def _open(self, state: SequencerState, now_ms: int) -> None:
        super()._open(state, now_ms)
        self._take_over(state)  # settings may be others since the state was stored

    def _obey(self, state: SequencerState, command: Mapping[str, Any], now_ms: int) -> list[Effect]:
        before = state.overrides
        effects = super()._obey(state, command, now_ms)
        if state.overrides != before:
            self._take_over(state)
        return effects

    def _take_over(self, state: SequencerState) -> None:
        assert state.learned is not None
        self._learner.tuned(state.overrides).take_over(state.learned)

    def _order(self, state: SequencerState, update: Update, now_ms: int) -> list[Effect]:
        self._expect(state, update)
        state.sequences[update.partition] = update.sequence
        effects: list[Effect] = []
        learned = self._learn(state, update, effects)
        effects.append(KeepLearned(learned))
        state.owed |= self.intervals_ms.keys()
        publish = self._due(state, now_ms)
        effects.append(self._append(state, now_ms, publish, updates=(learned,)))
        return effects + self._wake(state)

    def _learn(self, state: SequencerState, update: Update, effects: list[Effect]) -> Update:
        """Take the steps; the update as the log has it."""
        assert state.learned is not None
        assert update.samples is not None
        arrays, partition = state.learned, update.partition
        learner = self._learner.tuned(state.overrides)
        columns = update.samples._asdict()
        self._names.update(update.names)
        samples = Samples(**{**columns, "names": self._names})
        label = state.labels.get(partition, np.nan)
        taken = _steps(learner, arrays, samples, label)
        account = update.account
        if taken is None:
            taken, fine = _one_by_one(learner, arrays, samples, label)
            letters = rejected_of(samples, fine, NOT_FINITE)
            whole = account_of(samples.offsets[fine], samples.offsets[~fine])
            rejected = account.rejected.join(whole.rejected)
            more = account.more_letters + whole.more_letters
            account = Account(whole.learned, rejected, whole.more_samples, more)
            effects += (RejectSample(partition, letter) for letter in letters)
        if len(samples):
            state.labels[partition] = float(samples.labels[-1])
        slots, met, sums = taken
        delta = arrays.values(slots)._replace(waiting=met)
        return update._replace(account=account, delta=delta, sums=sums, samples=None)


class Steps(NamedTuple):
    """What came of learning from some samples."""

    slots: np.ndarray  # touched
    met: Counts | None  # features that wait for their weights
    sums: dict[str, np.ndarray]


def _steps(learner: Learner, arrays: State, samples: Samples, label: float) -> Steps | None:
    """Learn; None, with the arrays as before, if a number is not finite."""
    samples = learner.filled(arrays, samples)
    mark = learner.mark(arrays, samples)
    sums = learner.learn(arrays, samples, label, 1.0, mark)
    values = arrays.values(mark.slots)
    if finite(values, sums):
        counted = samples.counted
        return Steps(mark.slots, None if counted is None else counted.waiting, sums)
    learner.restore(arrays, mark)
    return None


def _one_by_one(
    learner: Learner, arrays: State, samples: Samples, label: float
) -> tuple[Steps, np.ndarray]:
    """Learn from the samples that leave the model finite; and which they are (samples,) bool."""
    steps: list[Steps] = []
    fine = np.ones(len(samples), bool)
    for row in range(len(samples)):
        sample = samples.rows(row, row + 1)
        taken = _steps(learner, arrays, sample, label)
        fine[row] = taken is not None
        if taken is not None:
            steps.append(taken)
            label = float(sample.labels[0])
    total: dict[str, np.ndarray] = {}
    waiting = Waiting()
    for one in steps:
        total = add_sums(total, one.sums)
        if one.met is not None:
            waiting.add(one.met)
    slots = np.unique(np.concatenate([np.zeros(0, np.int64), *(one.slots for one in steps)]))
    return Steps(slots, waiting.content(), total), fine
