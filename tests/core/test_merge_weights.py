"""How much the differences of each worker count when they are averaged."""

from __future__ import annotations

import math

import numpy as np
import pytest

from flink_ol.core.config import (
    AdaGrad,
    Features,
    FmModel,
    Ftrl,
    Learning,
    LinearModel,
    MlpModel,
    Model,
)
from flink_ol.core.learner import Learner
from flink_ol.core.ledger import Account, Tally
from flink_ol.core.messages import INITIAL, Update, Worker
from flink_ol.core.modes import sequencer_of
from flink_ol.core.sequencer import Append, UpdateArrived
from flink_ol.core.state import Delta
from flink_ol.core.training import Local
from tests.core.streams import samples_of

KEY, WORKERS = 7, 4
NOTHING = Delta(np.empty(0, np.int64), {})


class Merging:
    """A sequencer for so many workers on so many partitions."""

    def __init__(self, workers: int, partitions: int = 4) -> None:
        learner, training = Learner(Learning(task="binary")), Local(workers=workers)
        shards = frozenset(range(partitions))
        self._machine = sequencer_of(training, learner, {}, shards)
        self._state = self._machine.initial()

    def factor(self, worker: int, samples: int = 50) -> float:
        """What the worker's next update counts."""
        sequence = self._state.sequences.get(worker, 0) + 1
        account = Account(Tally.of(np.arange(samples) + 1_000 * sequence))
        update = Update(worker, sequence, Worker(worker, 1), INITIAL, account, NOTHING, {}, {}, 0)
        (append,) = self._machine.handle(self._state, UpdateArrived(update), 1)
        assert isinstance(append, Append)
        return append.entry.factor


@pytest.mark.parametrize("model", [LinearModel(), FmModel(factors=2), MlpModel(hidden=(3,))])
@pytest.mark.parametrize(
    "optimizer", [AdaGrad(intercept_learning_rate=None), Ftrl(intercept_learning_rate=None)]
)
def test_averages_of_workers_are_the_sums_over_all_samples(
    optimizer: AdaGrad | Ftrl, model: Model
) -> None:
    settings = Learning(
        task="regression", features=Features(scale="none"), model=model, optimizer=optimizer
    )
    learner = Learner(settings)
    first, merged = learner.initial(), learner.initial()
    sums: dict[str, np.ndarray] = {}
    names = {name for name, _ in optimizer.kind().accumulators}
    for worker in range(WORKERS):
        sample = samples_of([[(KEY, 0.5 + worker, True)]], [float(worker) - 1.2])
        deltas = []
        for scale in (1.0, float(WORKERS)):
            state = first.copy()
            mark = learner.mark(state, sample)
            learner.learn(state, sample, math.nan, scale)
            deltas.append(learner.difference(state, mark, sample))
        alone, among_others = deltas
        learner.merge(merged, among_others, 1.0 / WORKERS)
        for name, array in alone.arrays.items():
            # of weights that are drawn, z is more than the sum of the gradients
            if any(name.endswith(kept) for kept in names - {"z"}):
                sums[name] = sums.get(name, 0.0) + array
    assert sums
    for name, total in sums.items():
        np.testing.assert_allclose(merged.rows(name), total, rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("workers", [2, 4])
def test_the_first_updates_of_all_workers_count_about_as_one(workers: int) -> None:
    merging = Merging(workers)
    total = sum(merging.factor(worker) for worker in range(workers))
    assert total == pytest.approx(1.0, abs=0.1)


def test_a_batch_of_bad_records_alone_is_no_first_update() -> None:
    merging = Merging(WORKERS)
    assert merging.factor(0, samples=0) == 1.0
    total = sum(merging.factor(worker) for worker in range(WORKERS))
    assert total == pytest.approx(1.0, abs=0.1)


def test_a_worker_whose_fellows_stay_idle_soon_counts_in_full() -> None:
    merging = Merging(2)
    factors = [merging.factor(0) for _ in range(200)]
    assert factors[0] == pytest.approx(0.5, abs=0.1)
    assert factors[-1] > 0.99


@pytest.mark.parametrize(("workers", "partitions"), [(1, 4), (2, 1)])
def test_one_shard_alone_counts_in_full_from_the_start(workers: int, partitions: int) -> None:
    merging = Merging(workers, partitions)
    assert [merging.factor(0) for _ in range(5)] == [1.0] * 5
