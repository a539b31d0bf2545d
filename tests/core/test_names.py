"""Names kept with the model: bounded, and those that meet in one index are counted."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import orjson
import pytest

from flink_ol.core.config import Admission, Features, Learning
from flink_ol.core.expiry import Expiry
from flink_ol.core.features.hashing import feature_key
from flink_ol.core.learner import Learner
from flink_ol.core.loop import Loop
from flink_ol.core.messages import Worker
from flink_ol.core.modes import trainer_of
from flink_ol.core.names import HashedNames, KeptNames, told
from flink_ol.core.trainer import BatchArrived, SendUpdate
from flink_ol.core.training import Local
from flink_ol.wire.formats import sample_format
from flink_ol.wire.json_samples import JsonFields
from flink_ol.wire.model_file import decode_snapshot, encode_snapshot

BITS = 4


def learning(**rest: object) -> Learning:
    return Learning(task="binary", features=Features(hash_bits=BITS, scale="none", **rest))  # type: ignore[arg-type]


def looped(made: Learning, names: list[list[str]], restarts: bool = False) -> Loop:
    """One record for each of ``names``; with restarts, decoders forget after every record."""
    loop = Loop(Learner(made), "plain", "hash", lambda: 1)
    decoder = sample_format("json", JsonFields(), made)
    for offset, row in enumerate(names):
        record = orjson.dumps({"x": dict.fromkeys(row, 1.0), "y": offset % 2})
        samples, rejections = decoder.decode([record], np.array([offset]))
        assert not rejections
        loop.batch(0, samples)
        if restarts:
            decoder = sample_format("json", JsonFields(), made)
    return loop


def by_index(names: list[list[str]]) -> dict[int, set[str]]:
    found: dict[int, set[str]] = defaultdict(set)
    for name in (name for row in names for name in row):
        found[feature_key(name, BITS)].add(name)
    return found


def kept(loop: Loop) -> dict[int, set[str]]:
    snapshot = decode_snapshot(encode_snapshot(loop.snapshot(), {}))
    return {key: {name, *snapshot.others.get(key, ())} for key, name in snapshot.names.items()}


RNG = np.random.default_rng(2)
ROWS = [[f"n{i}" for i in RNG.choice(30, 3, replace=False)] for _ in range(60)]


def test_values_of_fields_are_named_when_the_model_has_heard_enough() -> None:
    decoder = sample_format("json", JsonFields(), learning(names_kept=1))

    def named(**row: object) -> list[str | None]:
        samples, _ = decoder.decode([orjson.dumps({"x": row, "y": 1})], np.array([0]))
        told(samples.names, samples.keys, samples.keys)
        return [samples.names.get(key) for key in samples.keys.tolist()]

    assert named(first=1.0, colour="red") == ["first", "colour=red"]
    assert named(later=1.0, colour="blue")[1] == "colour=blue"


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("occurrences", [1, 3])
def test_names_that_meet_in_an_index_are_counted(restarts: bool, occurrences: int) -> None:
    if restarts and occurrences > 1:
        pytest.skip("names met while a feature waits are forgotten with their decoder")
    loop = looped(learning(admission=Admission(occurrences=occurrences)), ROWS, restarts)
    expected = by_index(ROWS)
    assert kept(loop) == expected
    told = loop.metrics()
    assert told.names == sum(map(len, expected.values()))
    assert told.collisions == sum(len(names) - 1 for names in expected.values()) > 0


def test_no_more_names_are_kept_than_may_be() -> None:
    loop = looped(learning(names_kept=12), ROWS)
    told = loop.metrics()
    assert told.names == 12
    assert sum(map(len, kept(loop).values())) == 12
    assert all(names <= by_index(ROWS)[key] for key, names in kept(loop).items())


@pytest.mark.parametrize("hash_bits", [None, 20])
def test_an_update_tells_no_more_names_than_are_kept(hash_bits: int | None) -> None:
    features = Features(hash_bits=hash_bits, names_kept=3)
    made = Learning(task="binary", features=features)
    trainer = trainer_of(Local(), Learner(made), {})
    state = trainer.initial(Worker(0, 1))
    decoder = sample_format("json", JsonFields(), made)
    record = orjson.dumps({"x": {f"n{i}": i for i in range(10)}, "y": 1})
    samples, _ = decoder.decode([record], np.array([0]))
    effects = trainer.handle(state, BatchArrived(0, samples, [], 0))
    (update,) = (effect.update for effect in effects if isinstance(effect, SendUpdate))
    assert list(update.names.values()) == ["n0", "n1", "n2"]
    assert sum(map(len, update.others.values())) == (0 if hash_bits is None else 3)
    assert len(update.delta.keys) == 10


def test_long_names_count_by_their_bytes() -> None:
    names = KeptNames(10)
    names.keep(1, "ß" * 310)
    assert len(names) == 0
    names.keep(1, "ß" * 200)
    names.keep(2, "a" * 200)
    assert len(names) == 1
    names.drop(1)
    names.keep(2, "a" * 200)
    assert names.first == {2: "a" * 200}


def test_a_name_is_kept_once_and_dropped_with_its_index() -> None:
    names = KeptNames(10)
    for name in ("a", "b", "a", "b", "c"):
        names.keep(7, name)
    assert (names.first, names.others, len(names), names.collisions) == (
        {7: "a"},
        {7: ("b", "c")},
        3,
        2,
    )
    again = KeptNames(10, names.first, names.others)
    assert (len(again), again.collisions) == (3, 2)
    names.drop(7)
    assert (len(names), names.collisions) == (0, 0)


def test_a_name_is_told_when_its_feature_is_first_learned_and_all_where_it_is_new() -> None:
    names = HashedNames()
    names.meet(1, "a")
    names.meet(1, "b")
    names.meet(2, "c")
    none, both = np.array([], np.int64), np.array([1, 2])
    assert names.tell(np.array([2]), none) == {2: ("c",)}
    assert names.tell(both, none) == {1: ("a", "b")}
    assert names.tell(both, none) == {}
    assert names.tell(both, np.array([1])) == {1: ("a", "b")}


def test_no_more_is_told_than_the_model_keeps() -> None:
    names = HashedNames(most=2)
    for key, name in enumerate("abcd"):
        names.meet(key, name)
    learned = np.arange(4)
    assert told(names, learned[:1], learned[:1])["others"] == {0: ("a",)}
    assert told(names, learned[1:3], learned[1:3])["others"] == {1: ("b",)}
    assert told(names, learned, learned) == {"names": {}, "others": {}}
    names.meet(9, "e")
    assert told(names, np.array([9]), np.array([9])) == {"names": {}, "others": {}}
    assert names[9] == "e"  # metrics are grouped by it


@pytest.mark.parametrize("expires", [False, True])
def test_a_worker_tells_names_until_the_model_has_enough(expires: bool) -> None:
    features = {"names_kept": 5, **({"expiry": Expiry(untouched_ms=1000)} if expires else {})}
    decoder = sample_format("json", JsonFields(), learning(**features))
    rows = [orjson.dumps({"x": {f"f{i}": 1.0}, "y": 1}) for i in range(20)]
    for start in (0, 10):
        samples, _ = decoder.decode(rows[start : start + 10], np.arange(start, start + 10))
        heard = told(samples.names, samples.keys, samples.keys)
        assert bool(heard["others"]) == (start == 0 or expires)
