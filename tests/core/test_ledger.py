"""The ledger is a digest of sets of offsets: order-free, exact, and the same after JSON."""

from __future__ import annotations

import json
from functools import reduce
from operator import xor
from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from flink_ol.core.ledger import Account, Tally, ledger_from_json, ledger_to_json

offsets = st.sets(st.integers(0, 2**63 - 1), max_size=30)


def tally(of: set[int]) -> Tally:
    return Tally.of(np.array(sorted(of), np.int64))


@given(offsets)
def test_a_tally_is_what_it_says(of: set[int]) -> None:
    expected = (
        (len(of), min(of), max(of), sum(of) % 2**64, reduce(xor, of)) if of else (0, -1, -1, 0, 0)
    )
    assert tuple(tally(of)) == expected


@given(offsets, st.randoms())
def test_joining_disjoint_parts_in_any_order_is_the_whole(of: set[int], random: Random) -> None:
    parts: list[set[int]] = [set() for _ in range(4)]
    for offset in of:
        parts[random.randrange(4)].add(offset)
    assert reduce(Tally.join, map(tally, parts)) == tally(of)
    assert reduce(Tally.join, map(tally, parts[::-1])) == tally(of)


@given(offsets, offsets)
def test_one_offset_twice_or_missing_shows(of: set[int], more: set[int]) -> None:
    whole = tally(of | more)
    for offset in of | more:
        once = Tally.of(np.array([offset], np.int64))
        assert whole.join(once) != whole
        assert tally((of | more) - {offset}) != whole


@given(st.dictionaries(st.integers(0, 500), st.tuples(offsets, offsets), max_size=5))
def test_a_ledger_survives_json(sets: dict[int, tuple[set[int], set[int]]]) -> None:
    ledger = {
        p: Account(tally(learned), tally(rejected)) for p, (learned, rejected) in sets.items()
    }
    assert ledger_from_json(json.loads(json.dumps(ledger_to_json(ledger)))) == ledger


def test_large_sums_are_decimal_strings_in_json() -> None:
    fields = ledger_to_json({3: Account(tally({2**62, 2**62 + 1}), Tally())})["3"]
    assert (fields["sum"], fields["xor"], fields["count"]) == (str(2**63 + 1), "1", 2)
    assert fields["rejected"] == {"count": 0, "first": -1, "last": -1, "sum": "0", "xor": "0"}
