"""The fold: one entry of the log into one replica of the model, in place.

It reads no clock, no random number and no subtask's index: all it knows of time stands in the
entries, so all replicas of one version are equal.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flink_ol.core.evaluation import Evaluation, add_sums
from flink_ol.core.learner import Learner
from flink_ol.core.ledger import Account
from flink_ol.core.messages import DIFFERENCE, GRADIENT, VALUES, Entry, Update
from flink_ol.core.model.state import ModelState


def expires(learner: Learner) -> bool:
    """Whether features that were not met for long are dropped."""
    return learner.learning.features.expiry is not None


def fold(learner: Learner, state: ModelState, entry: Entry) -> None:
    """Take ``entry`` into ``state``; ``learner``: of the settings without overrides."""
    state.version, state.workers = entry.version, entry.workers
    state.rate_scale = entry.rate_scale
    state.pace = entry.pace
    tuned = learner.tuned(entry.overrides)
    if entry.overrides != state.overrides:
        state.overrides = entry.overrides
        tuned.take_over(state.arrays)
        state.frames.start_over()
    updates = _learn(tuned, state, entry)
    for update in updates:
        _account(state, update, learner.evaluation)
        if expires(learner):
            slots = state.arrays.vocabulary.find(update.delta.keys)
            state.touched.touch(slots, entry.time_ms)
    for update in entry.updates:  # also where the step along them was taken back
        state.frames.touch(state.arrays, update.delta)
    if entry.expire_before_ms:
        _expire(state, entry)


def _expire(state: ModelState, entry: Entry) -> None:
    """Drop what was last touched too long ago; what stays has new slots."""
    _forget_names(state)
    arrays, size = state.arrays, state.arrays.vocabulary.size
    slots = state.touched.before(size, entry.expire_before_ms, entry.time_ms)
    keys = arrays.vocabulary.keys[slots]
    state.touched.keep(arrays.remove(keys))
    state.expired += len(keys)
    if len(keys):
        state.frames.start_over()


def _forget_names(state: ModelState) -> None:
    """Of features that were dropped at the cut before and have not come back.

    An update that was under way at the cut brings one back without its name: its trainer had a
    frame with the feature in it, and a name is told once.
    """
    named = np.fromiter(state.names.first, np.int64, len(state.names.first))
    for key in named[state.arrays.vocabulary.find(named) < 0].tolist():
        state.names.drop(key)


def _learn(learner: Learner, state: ModelState, entry: Entry) -> Sequence[Update]:
    """Take in the entry's updates; they, or their accounts alone where that led too far."""
    meaning = entry.updates[0].meaning if entry.updates else DIFFERENCE
    if meaning == GRADIENT:
        return _step(learner, state, entry)
    for update in entry.updates:
        if meaning == VALUES:
            learner.assign(state.arrays, update.delta)
        else:
            learner.merge(state.arrays, update.delta, entry.factor)
    return entry.updates


def _account(state: ModelState, update: Update, evaluation: Evaluation) -> None:
    """Take in what belongs to the samples of ``update`` beside what was learned."""
    lag = state.version.number - 1 - update.base.number
    if update.base.epoch == state.version.epoch:
        state.lags[min(lag.bit_length(), len(state.lags) - 1)] += 1
    state.acknowledged[update.partition] = update.sequence
    account = state.ledger.get(update.partition, Account())
    state.ledger[update.partition] = account.join(update.account)
    state.sums = add_sums(state.sums, update.sums)
    state.recent.take(update.sums, evaluation)
    for key, name in update.names.items():
        state.names.keep(key, name)
    for key, names in update.others.items():
        for name in names:
            state.names.keep(key, name)
    state.newest_ms = max(state.newest_ms, update.newest_ms)


def _step(learner: Learner, state: ModelState, entry: Entry) -> Sequence[Update]:
    """One step along the entry's gradients, or none if it leads out of the finite numbers."""
    # one that the sequencer found spoilt is its account alone
    gradients = [update.delta for update in entry.updates if update.delta.arrays]
    keys = np.concatenate([np.empty(0, np.int64), *(delta.keys for delta in gradients)])
    before = state.arrays.values(state.arrays.slots(keys))
    touched = learner.step(state.arrays, gradients, entry.divisor, entry.rate_scale)
    if state.arrays.values(touched).finite():
        return entry.updates
    state.arrays.assign(before)
    # the features stay, and so do their names, which no trainer tells twice
    return [
        update.without_delta()._replace(names=update.names, others=update.others)
        for update in entry.updates
    ]
