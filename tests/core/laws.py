"""Laws that a state keeps whatever the family: each test module puts them to its own settings."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from flink_ol.core.config import Learning
from flink_ol.core.learner import Learner
from flink_ol.core.state import State
from tests.core.streams import KEYS, batches, random_samples

NAN = float("nan")


def same(state: State, other: State) -> bool:
    """Whether two states are equal to the bit."""
    return np.array_equal(state.vocabulary.keys, other.vocabulary.keys) and all(
        state.rows(spec.name).tobytes() == other.rows(spec.name).tobytes() for spec in state.specs
    )


def assert_restored(settings: Learning) -> None:
    """Restoring a mark gives back every bit."""
    learner = Learner(settings)
    state = learner.initial()
    first, second = (random_samples(settings, 60, seed=seed) for seed in (5, 6))
    learner.learn(state, first.rows(0, 20), NAN, 1.0)
    state.slots(second.keys)
    before = state.copy()
    mark = learner.mark(state, second)
    learner.learn(state, second, 0.0, 1.0)
    assert not same(state, before)
    learner.restore(state, mark)
    assert same(state, before)


def own_and_folded(learner: Learner, count: int) -> tuple[State, State]:
    """The state that learned ``count`` samples, and the fold of its differences."""
    own, folded, label = learner.initial(), learner.initial(), NAN
    for batch in batches(random_samples(learner.learning, count, seed=7, weighted=True), seed=8):
        mark = learner.mark(own, batch)
        learner.learn(own, batch, label, 1.0)
        learner.merge(folded, learner.difference(own, mark, batch), 1.0)
        label = float(batch.labels[-1]) if len(batch) else label
    assert np.array_equal(own.vocabulary.keys, folded.vocabulary.keys)
    return own, folded


def assert_order_does_not_matter(settings: Learning, count: int, rtol: float = 1e-12) -> None:
    """Differences of shards of ``count`` samples merge to the same state in any order."""
    learner = Learner(settings)
    deltas = []
    for shard, batch in enumerate(batches(random_samples(settings, count, seed=9), seed=10)):
        state = learner.initial()
        mark = learner.mark(state, batch)
        learner.learn(state, batch, NAN, 1.0)
        deltas.append((learner.difference(state, mark, batch), 1.0 / (shard + 1)))
    results = []
    for order in (deltas, deltas[::-1], deltas[1::2] + deltas[::2]):
        state = learner.initial()
        state.slots(KEYS)
        for delta, factor in order:
            learner.merge(state, delta, factor)
        results.append(state)
    for one, other in pairwise(results):
        for spec in learner.specs:
            np.testing.assert_allclose(
                one.rows(spec.name), other.rows(spec.name), rtol=rtol, atol=1e-12
            )
