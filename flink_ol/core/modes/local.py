"""Mode ``local``: every worker steps on its own replica and sends the difference."""

from __future__ import annotations

from collections.abc import Mapping

from flink_ol.core.learner import finite
from flink_ol.core.ledger import Account, Tally, account_of
from flink_ol.core.messages import Update
from flink_ol.core.samples import Samples, offsets_of, rejection_of, row_numbers
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
        sums = learner.learn(own, samples, label, state.rate_scale)
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
