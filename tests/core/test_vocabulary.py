"""The vocabulary is a dictionary from key to rank of first appearance."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from flink_ol.core.vocabulary import Vocabulary

INT64 = st.integers(-(2**63), 2**63 - 1)
# few and neighbouring keys meet again and collide, wide ones do not
keys = st.one_of(INT64, st.integers(-20, 20), st.integers(0, 7).map(lambda i: i << 60))


def reference(*parts: list[int]) -> dict[int, int]:
    known: dict[int, int] = {}
    for part in parts:
        for key in part:
            known.setdefault(key, len(known))
    return known


@settings(deadline=None, max_examples=300)
@given(st.lists(st.lists(keys, max_size=80), max_size=6), st.lists(keys, max_size=20))
def test_slots_are_ranks_of_first_appearance(parts: list[list[int]], others: list[int]) -> None:
    vocabulary = Vocabulary()
    for part in parts:
        vocabulary.add(np.array(part, np.int64))
    known = reference(*parts)
    assert vocabulary.size == len(known)
    assert vocabulary.keys.tolist() == list(known)
    asked = [*known, *others]
    slots = vocabulary.find(np.array(asked, np.int64))
    assert slots.tolist() == [known.get(key, -1) for key in asked]


@settings(deadline=None)
@given(st.lists(keys, max_size=60), st.lists(keys, max_size=60))
def test_a_copy_is_independent(first: list[int], second: list[int]) -> None:
    vocabulary = Vocabulary(np.array(first, np.int64))
    twin = vocabulary.copy()
    twin.add(np.array(second, np.int64))
    assert vocabulary.keys.tolist() == list(reference(first))
    assert twin.keys.tolist() == list(reference(first, second))
    absent = [key for key in second if key not in first]
    assert (vocabulary.find(np.array(absent, np.int64)) == -1).all()


def test_keys_of_one_table_position_find_their_own_slots() -> None:
    # multiples of 2^59 leave the hash few bits to differ in
    colliding = np.arange(32, dtype=np.int64) << 59
    vocabulary = Vocabulary(colliding)
    assert vocabulary.find(colliding).tolist() == list(range(32))
    assert vocabulary.find(colliding + 1).tolist() == [-1] * 32


def test_growth_keeps_every_slot() -> None:
    rng = np.random.default_rng(0)
    many = rng.integers(-(2**63), 2**63 - 1, size=100_000)
    vocabulary = Vocabulary()
    for start in range(0, len(many), 777):
        vocabulary.add(many[start : start + 777])
    assert vocabulary.size == len(many)
    assert np.array_equal(vocabulary.find(many), np.arange(len(many)))


def test_keys_that_may_not_be_written_are_read() -> None:
    frozen = np.array([5, 6, 5], np.int64)
    frozen.flags.writeable = False
    vocabulary = Vocabulary(frozen)
    assert vocabulary.find(frozen).tolist() == [0, 1, 0]
