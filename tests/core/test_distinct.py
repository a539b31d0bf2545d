"""Distinct numbers and their ranks, and sets of slots, against plain Python."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flink_ol.core.distinct import distinct
from flink_ol.core.slot_set import SlotSet

NUMBERS = st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-2, 5), max_size=80)
SLOTS = st.lists(st.integers(0, 60), max_size=20, unique=True)


@given(NUMBERS)
def test_numbers_stand_in_order_of_first_appearance(numbers: list[int]) -> None:
    found, ranks = distinct(np.array(numbers, np.int64))
    assert found.tolist() == list(dict.fromkeys(numbers))
    assert found[ranks].tolist() == numbers


@pytest.mark.parametrize("count", [1, 511, 512, 513, 1024, 2048, 2049, 20_000])
def test_all_different_numbers_outgrow_every_table(count: int) -> None:
    numbers = np.random.default_rng(count).integers(-(2**63), 2**63, count)
    found, ranks = distinct(numbers)
    assert np.array_equal(found, numbers)
    assert np.array_equal(ranks, np.arange(count))


@given(st.integers(0, 10), st.lists(st.tuples(st.booleans(), SLOTS), max_size=8))
def test_a_slot_set_is_a_set(count: int, changes: list[tuple[bool, list[int]]]) -> None:
    slots, plain = SlotSet(count), set(range(count))
    for adds, changed in changes:
        if adds:
            slots.add(np.array(changed, np.int64))
            plain |= set(changed)
        else:
            there = [slot for slot in changed if slot in plain]
            slots.remove(np.array(there, np.int64))
            plain -= set(there)
        held = slots.holds(np.arange(80))
        assert np.flatnonzero(held).tolist() == sorted(plain)
