"""Mode ``local``: every worker steps on its own replica, and the differences are averaged."""

from __future__ import annotations

from collections.abc import Mapping

from flink_ol.core.config import Learning
from flink_ol.core.frame_rate import FrameRate
from flink_ol.core.learner import finite
from flink_ol.core.ledger import Account, Tally, account_of
from flink_ol.core.messages import Update
from flink_ol.core.samples import Samples, offsets_of, rejection_of, row_numbers
from flink_ol.core.sequencer import Effect as SequencerEffect
from flink_ol.core.sequencer import Sequencer, SequencerState
from flink_ol.core.trainer import (
    BatchArrived,
    DeadLetter,
    Effect,
    Progress,
    SaveProgress,
    SendUpdate,
    Trainer,
    TrainerState,
)
from flink_ol.core.trainer.guards import NOT_FINITE

# A worker's part in the recent past is forgotten by half in this many updates of all workers:
# short enough to follow a worker that falls silent, long enough to smooth the turns of windows.
_HALF_LIFE_UPDATES = 32.0
_PRIOR = 6.0  # first updates that every worker is taken to have sent already
_DECAY = 0.5 ** (1.0 / _HALF_LIFE_UPDATES)


class LocalTrainer(Trainer):
    """Learns from every sample when it comes."""

    def _learn(self, state: TrainerState, event: BatchArrived) -> list[Effect]:
        effects = self._greet(state, event)
        account = account_of(event.samples.offsets, offsets_of(event.rejections))
        if not self._learned(state, event, event.samples, account, effects):
            self._learn_apart(state, event, account.rejected, effects)
        return effects

    def _learn_apart(
        self, state: TrainerState, event: BatchArrived, rejected: Tally, effects: list[Effect]
    ) -> None:
        """Some sample drives the model out of the finite numbers: learn from the others.

        ``rejected``: what the next update has to tell, beside the sample. A record's offset is
        told once: as learned with the first of its samples that can be learned from, as rejected
        behind the last if there was none.
        """
        samples, letters = event.samples, len(event.rejections)
        rows = row_numbers(samples, event.rejections)
        told = False  # of the record of the sample at hand
        for i in range(len(samples)):
            sample = samples.rows(i, i + 1)
            account = _account(sample, rejected, letters, told)
            if self._learned(state, event, sample, account, effects):
                rejected, letters, told = Tally(), 0, True
            else:
                letter = rejection_of(samples, i, NOT_FINITE, rows)
                effects.append(DeadLetter(event.partition, letter))
                letters += 1
            if i + 1 == len(samples) or samples.offsets[i + 1] != samples.offsets[i]:
                if not told:
                    rejected = rejected.join(Tally.of(sample.offsets))
                told = False
        if letters:
            nothing = samples.rows(0, 0)
            account = _account(nothing, rejected, letters, told)
            learned = self._learned(state, event, nothing, account, effects)
            assert learned

    def _learned(
        self,
        state: TrainerState,
        event: BatchArrived,
        samples: Samples,
        account: Account,
        effects: list[Effect],
    ) -> bool:
        """Learn from ``samples`` of the batch, and say so; False where that leads too far."""
        progress = state.progress.get(event.partition, Progress())
        update = self._update(state, event, samples, progress.label, account, effects)
        if update is None:
            return False
        label = float(samples.labels[-1]) if len(samples) else progress.label
        after = Progress(update.sequence, label)
        state.progress[event.partition] = after
        state.pending.append(update)
        effects += (SendUpdate(update), SaveProgress(event.partition, after))
        return True

    def _update(
        self,
        state: TrainerState,
        event: BatchArrived,
        samples: Samples,
        label: float,
        account: Account,
        effects: list[Effect],
    ) -> Update | None:
        """Learn from ``samples``; None, with the replica as before, if a number is not finite."""
        learner, own = self.learner.tuned(state.overrides), state.replica
        samples = learner.filled(own, samples)
        mark = learner.mark(own, samples)
        sums = learner.learn(own, samples, label, state.rate_scale, mark)
        delta = learner.difference(own, mark, samples)
        if not finite(delta, sums):
            learner.restore(own, mark)
            return None
        codes: Mapping[str, str] = {}
        if self._lossy is not None:
            delta, told, codes = self._lessen(self._lossy, state, event.partition, delta, effects)
            learner.put_back(own, mark, told)
        return self._next(state, event.partition, account, event.newest_ms)._replace(
            delta=delta, sums=sums, codes=codes, **self._names(state, delta, samples)
        )


def _account(samples: Samples, rejected: Tally, letters: int, told: bool) -> Account:
    """Of one update; ``told``: whether an update before has the record of the samples."""
    learned = Tally() if told else Tally.of(samples.offsets)
    return Account(learned, rejected, len(samples) - learned.count, letters - rejected.count)


class LocalSequencer(Sequencer):
    """An entry per update, weighed by its worker's share in the samples."""

    def __init__(
        self,
        learning: Learning,
        intervals_ms: Mapping[str, int],
        scale_rate: bool = True,
        workers: int = 1,
        frame_rate: FrameRate | None = None,
    ) -> None:
        """``workers``: how many are expected to be at work from the first update on.

        ``scale_rate``: whether steps grow with the number of workers at work, as averaging their
        differences divides them.
        """
        super().__init__(learning, intervals_ms, frame_rate)
        self._scale_rate, self._workers = scale_rate, workers

    def _order(self, state: SequencerState, update: Update, now_ms: int) -> list[SequencerEffect]:
        self._expect(state, update)
        state.sequences[update.partition] = update.sequence
        effects: list[SequencerEffect] = []
        update = self._sound(update, effects)
        factor = self._weigh(state, update)
        state.owed |= self.intervals_ms.keys()
        effects.append(
            self._append(state, now_ms, self._due(state, now_ms), updates=(update,), factor=factor)
        )
        return effects + self._wake(state)

    def _weigh(self, state: SequencerState, update: Update) -> float:
        """The share of the update's worker in the samples merged lately: 1 when it is alone."""
        worker, parts, samples = update.worker.index, state.parts, update.account.samples
        for index in list(parts):
            parts[index] *= _DECAY
            if parts[index] < 1e-3:
                del parts[index]
        if not parts and samples and self._workers > 1:
            # All workers learn from the same beginning: as if each had sent as much before, so that
            # what the first ones tell does not count in full. An idle one is forgotten soon.
            parts.update(dict.fromkeys(range(self._workers), _PRIOR * samples * _DECAY))
        parts[worker] = parts.get(worker, 0.0) + samples
        total = sum(parts.values())
        return parts[worker] / total if total > 0.0 else 1.0

    def _rate_scale(self, state: SequencerState) -> float:
        """Effective number of workers: 1 / sum of squared shares."""
        total = sum(state.parts.values())
        if not self._scale_rate or len(state.parts) < 2 or total <= 0.0:
            return 1.0
        return total * total / sum(part * part for part in state.parts.values())
