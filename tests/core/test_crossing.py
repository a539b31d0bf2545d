"""Crosses: the products of all pairs, by name, against plain Python."""

from __future__ import annotations

from itertools import pairwise, product
from math import prod

import numpy as np
import pytest

from flink_ol.core.config import ConfigError, Features
from flink_ol.core.features.crossing import MOST_COMBINATIONS, Crossing
from flink_ol.core.features.expansion import Expansion
from flink_ol.core.features.hashing import feature_key
from flink_ol.core.features.text import TextField
from flink_ol.core.samples import Samples

Row = list[tuple[str, float, bool]]

ROWS: list[Row] = [
    [("kind=a", 1.0, False), ("size", 2.5, True), ("day=mon", 1.0, False)],
    [],
    [("day=tue", 1.0, False), ("kind=b", 1.0, False)],
    [("size", -3.0, True), ("t~x", 2.0, False), ("t~y", 1.0, False), ("kind=a", 1.0, False)],
    [("user^name=ann", 1.0, False), ("user^age", 40.0, True), ("size", 0.5, True)],
    [("kinder=c", 1.0, False), ("day=mon", 1.0, False), ("sizes", 1.0, True)],
]
OF_FIELD = {
    "kind": {"kind=a", "kind=b"},
    "size": {"size"},
    "day": {"day=mon", "day=tue"},
    "t": {"t~x", "t~y"},
    "user^": {"user^name=ann", "user^age"},
}


def samples_of(rows: list[Row]) -> Samples:
    entries = [entry for row in rows for entry in row]
    n = len(rows)
    return Samples(
        np.cumsum([0, *map(len, rows)], dtype=np.int64),
        np.array([feature_key(name) for name, _, _ in entries], np.int64),
        np.array([value for _, value, _ in entries], np.float64),
        np.array([numeric for _, _, numeric in entries], np.bool_),
        np.arange(n, dtype=np.float64),
        np.ones(n),
        np.arange(100, 100 + n, dtype=np.int64),
        {feature_key(name): name for name, _, _ in entries},
    )


def rows_of(samples: Samples) -> list[Row]:
    entries = list(
        zip(
            [samples.names[key] for key in samples.keys.tolist()],
            samples.values.tolist(),
            samples.numeric.tolist(),
            strict=True,
        )
    )
    bounds = samples.indptr.tolist()
    return [entries[a:b] for a, b in pairwise(bounds)]


def crossed(row: Row, crosses: list[str]) -> Row:
    """The row with its crosses, in plain Python."""
    added: Row = []
    for cross in crosses:
        lists = [[e for e in row if e[0] in OF_FIELD[field]] for field in cross.split("*")]
        added += (
            (
                "*".join(name for name, _, _ in chosen),
                prod(value for _, value, _ in chosen),
                any(numeric for _, _, numeric in chosen),
            )
            for chosen in product(*lists)
        )
    return row + added


@pytest.mark.parametrize(
    "crosses",
    [
        ["kind*day"],
        ["day*kind"],
        ["kind*size", "size*day"],
        ["kind*day*size"],
        ["t*kind", "kind*size*t", "day*kind"],
        ["user^*size"],
        [],
    ],
    ids=str,
)
def test_crosses_are_all_combinations_with_the_product_of_values(crosses: list[str]) -> None:
    crossing = Crossing(crosses)
    samples = samples_of(ROWS)
    for _ in range(2):  # what is remembered gives the same again
        found, rejections = crossing(samples)
        assert rows_of(found) == [crossed(row, crosses) for row in ROWS]
        assert not rejections
    np.testing.assert_array_equal(found.labels, samples.labels)
    for key in found.keys.tolist():
        assert feature_key(found.names[key]) == key


def test_batches_cut_anywhere_are_crossed_alike() -> None:
    crosses = ["kind*day", "kind*size*t"]
    whole, _ = Crossing(crosses)(samples_of(ROWS))
    crossing = Crossing(crosses)
    pieces = [
        row
        for i in range(len(ROWS))
        for row in rows_of(crossing(samples_of(ROWS).rows(i, i + 1))[0])
    ]
    assert pieces == rows_of(whole)


def test_many_features_are_remembered_right() -> None:
    rng = np.random.default_rng(3)
    rows: list[Row] = [
        [(f"a={rng.integers(300)}", 1.0, False), (f"b={rng.integers(300)}", 1.0, False)]
        for _ in range(3000)
    ]
    found, _ = Crossing(["a*b"])(samples_of(rows))
    expected = [[*row, (f"{row[0][0]}*{row[1][0]}", 1.0, False)] for row in rows]
    assert rows_of(found) == expected


def test_a_sample_with_too_many_combinations_is_refused_alone() -> None:
    side = int(MOST_COMBINATIONS**0.5) + 1
    wide: Row = [(f"{field}~{i}", 1.0, False) for field in "ab" for i in range(side)]
    small: Row = [("a~0", 1.0, False), ("b~0", 2.0, False)]
    found, (rejection,) = Crossing(["a*b"])(samples_of([small, wide, small]))
    assert rejection.offset == 101
    assert "features.crosses" in rejection.reason
    assert rows_of(found) == [[*small, ("a~0*b~0", 2.0, False)]] * 2
    assert found.offsets.tolist() == [100, 102]
    assert found.labels.tolist() == [0.0, 2.0]


@pytest.mark.parametrize("bits", [3, 20])
def test_hash_bits_do_not_decide_what_is_crossed(bits: int) -> None:
    expansion = Expansion([], ["kind*day"], bits)
    found, _ = expansion(samples_of(ROWS))
    expected = [
        feature_key(name, bits) for row in ROWS for name, _, _ in crossed(row, ["kind*day"])
    ]
    assert found.keys.tolist() == expected
    assert set(found.keys.tolist()) <= set(found.names)


def test_words_of_texts_are_crossed_too() -> None:
    expansion = Expansion([TextField(field="t")], ["t*kind"], None)
    row: Row = [("t=so so good", 1.0, False), ("kind=a", 1.0, False)]
    found, _ = expansion(samples_of([row]))
    assert sorted(rows_of(found)[0]) == [
        ("kind=a", 1.0, False),
        ("t~good", 1.0, False),
        ("t~good*kind=a", 1.0, False),
        ("t~so", 2.0, False),
        ("t~so*kind=a", 2.0, False),
    ]


@pytest.mark.parametrize("cross", ["a", "a*a", "a*", "*", "a*b*c*d*e", ""])
def test_what_is_no_cross_is_refused(cross: str) -> None:
    with pytest.raises(ConfigError, match="crosses"):
        Features(crosses=(cross,))


def test_crosses_survive_json() -> None:
    features = Features(crosses=("a*b", "a*b*c"), text=(TextField(field="t", words=2),))
    assert Features.from_json(features.to_json()) == features
