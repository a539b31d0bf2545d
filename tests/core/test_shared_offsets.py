"""Records of many samples: the ledger counts records once, dead letters name the samples."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flink_ol.core.config import Learning, Sgd
from flink_ol.core.features.crossing import MOST_COMBINATIONS, Crossing
from flink_ol.core.features.hashing import feature_key
from flink_ol.core.learner import Learner
from flink_ol.core.ledger import Account, Tally, ledger_from_json, ledger_to_json
from flink_ol.core.loop import Loop
from flink_ol.core.messages import Update, Worker
from flink_ol.core.modes.local import LocalSequencer, LocalTrainer
from flink_ol.core.samples import Rejection, Samples, rejection_of, row_numbers
from flink_ol.core.sequencer import (
    Append,
    SequencerState,
    UpdateArrived,
    UpdateSpoilt,
)
from flink_ol.core.trainer import BatchArrived, DeadLetter, SendUpdate

LEARNING = Learning(task="regression", optimizer=Sgd(learning_rate=0.01))
LEARNER = Learner(LEARNING)
KEY = feature_key("a")
GOOD, SPOILT, BAD = 1.0, 1e200, 0.0  # the square of the spoilt is infinite; the bad never decode

# records, each a list of its rows
records = st.lists(st.lists(st.sampled_from([GOOD, SPOILT, BAD]), min_size=1, max_size=4))


def decoded(rows_by_record: list[list[float]]) -> tuple[Samples, list[Rejection]]:
    values, offsets, rejections = [], [], []
    for offset, rows in enumerate(rows_by_record, 100):
        for i, value in enumerate(rows):
            if value == BAD:
                row = None if len(rows) == 1 else i
                rejections.append(Rejection(offset, "bad", row))
            else:
                values.append(value)
                offsets.append(offset)
    count = len(values)
    samples = Samples(
        np.arange(count + 1, dtype=np.int64),
        np.full(count, KEY, np.int64),
        np.array(values, np.float64),
        np.ones(count, np.bool_),
        np.ones(count),
        np.ones(count),
        np.array(offsets, np.int64),
        {KEY: "a"},
    )
    return samples, rejections


def handled(rows_by_record: list[list[float]]) -> tuple[list[Update], list[Rejection]]:
    trainer = LocalTrainer(LEARNER)
    state = trainer.initial(Worker(0, 1))
    samples, rejections = decoded(rows_by_record)
    effects = trainer.handle(state, BatchArrived(0, samples, rejections, 0))
    updates = [effect.update for effect in effects if isinstance(effect, SendUpdate)]
    return updates, [effect.rejection for effect in effects if isinstance(effect, DeadLetter)]


@given(records)
def test_a_record_is_in_the_ledger_once_however_its_samples_fare(
    rows_by_record: list[list[float]],
) -> None:
    updates, _ = handled(rows_by_record)
    account = Account()
    for update in updates:
        account = account.join(update.account)
    learned = [100 + i for i, rows in enumerate(rows_by_record) if GOOD in rows]
    rejected = [100 + i for i, rows in enumerate(rows_by_record) if GOOD not in rows]
    assert account.learned == Tally.of(np.array(learned, np.int64))
    assert account.rejected == Tally.of(np.array(rejected, np.int64))


@given(records)
def test_each_sample_that_cannot_be_learned_from_is_one_dead_letter(
    rows_by_record: list[list[float]],
) -> None:
    updates, rejections = handled(rows_by_record)
    expected = defaultdict(list)
    for offset, rows in enumerate(rows_by_record, 100):
        for i, value in enumerate(rows):
            if value != GOOD:
                expected[offset].append(None if len(rows) == 1 else i)
    found = defaultdict(list)
    for rejection in rejections:
        found[rejection.offset].append(rejection.row)
        if rejection.row is not None and rejection.reason != "bad":
            assert rejection.reason.startswith(f"row {rejection.row}: ")
    assert {offset: sorted(rows, key=str) for offset, rows in found.items()} == expected
    learned = sum(float(update.sums["targets"][0]) for update in updates if update.sums)
    assert learned == sum(rows.count(GOOD) for rows in rows_by_record)
    accounts = [update.account for update in updates]
    assert sum(account.samples for account in accounts) == learned
    assert sum(account.dead_letters for account in accounts) == len(rejections)
    assert all(min(account[2:]) >= 0 for account in accounts)


def test_the_evaluation_counts_samples_and_the_ledger_records() -> None:
    loop = Loop(LEARNER, "a", "", lambda: 0)
    loop.batch(0, *decoded([[GOOD] * 3, [GOOD, BAD]]))
    snapshot = loop.snapshot()
    assert snapshot.sums["targets"][0] == 4
    account = snapshot.ledger[0]
    assert account[:2] == (Tally.of(np.array([100, 101])), Tally())
    assert (account.samples, account.dead_letters) == (4, 1)
    assert (loop.metrics().samples, loop.metrics().rejected) == (4, 1)


def test_a_worker_weighs_by_its_samples_however_few_records_hold_them() -> None:
    updates = [handled([[GOOD]])[0][0], handled([[GOOD] * 3])[0][0]]
    sequencer, state = LocalSequencer(LEARNING, {}), SequencerState()
    for index, update in enumerate(updates):
        told = update._replace(worker=Worker(index, 1), partition=index)
        (append,) = sequencer.handle(state, UpdateArrived(told), 0)
    assert isinstance(append, Append)
    assert append.entry.factor == pytest.approx(0.75, abs=0.01)


def test_a_spoilt_update_rejects_each_of_its_samples() -> None:
    (update,), _ = handled([[GOOD] * 3, [GOOD, BAD]])
    delta = update.delta._replace(arrays={"weights": np.array([[np.nan]])})
    spoilt, append = LocalSequencer(LEARNING, {}).handle(
        SequencerState(), UpdateArrived(update._replace(delta=delta)), 0
    )
    assert isinstance(spoilt, UpdateSpoilt)
    assert isinstance(append, Append)
    account = append.entry.updates[0].account
    assert account[:2] == (Tally(), Tally.of(np.array([100, 101])))
    assert (account.samples, account.dead_letters) == (0, 5)


@given(records)
def test_an_account_survives_the_wire(rows_by_record: list[list[float]]) -> None:
    ledger = {i: update.account for i, update in enumerate(handled(rows_by_record)[0])}
    assert ledger_from_json(ledger_to_json(ledger)) == ledger


def test_an_account_of_one_sample_a_record_is_written_as_ever() -> None:
    account = Account(Tally.of(np.array([1, 2])), Tally.of(np.array([3])))
    fields = ledger_to_json({4: account})["4"]
    assert sorted(fields) == ["count", "first", "last", "rejected", "sum", "xor"]


def test_rows_are_counted_past_those_that_are_missing() -> None:
    samples, rejections = decoded([[GOOD], [GOOD, BAD, BAD, GOOD], [BAD, GOOD]])
    rows = row_numbers(samples, rejections)
    assert rows.tolist() == [-1, 0, 3, 1]
    assert rejection_of(samples, 2, "why", rows) == Rejection(101, "row 3: why", 3)
    assert rejection_of(samples, 0, "why", rows) == Rejection(100, "why")
    assert row_numbers(samples.rows(0, 0), rejections).tolist() == []


def test_a_row_that_cannot_be_crossed_is_rejected_by_its_number() -> None:
    side = int(MOST_COMBINATIONS**0.5) + 1
    names = [f"{field}={i}" for field in "ab" for i in range(side)]
    keys = [feature_key(name) for name in names]
    few = [keys[0], keys[-1]]
    samples = Samples(
        np.array([0, 2, 2 + len(keys)]),
        np.array(few + keys),
        np.ones(2 + len(keys)),
        np.zeros(2 + len(keys), np.bool_),
        np.ones(2),
        np.ones(2),
        np.array([7, 7]),
        dict(zip(keys, names, strict=True)),
    )
    crossed, (rejection,) = Crossing(["a*b"])(samples, [Rejection(7, "row 0: bad", 0)])
    assert (len(crossed), rejection.offset, rejection.row) == (1, 7, 2)
