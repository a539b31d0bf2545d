"""JSON samples: the fast ways and the careful way agree, and a bad record harms no other."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flink_ol.core.config import Features, Learning
from flink_ol.core.features.hashing import feature_key
from flink_ol.core.labels import Labels
from flink_ol.core.samples import Rejection, Samples
from flink_ol.wire.dead_letters import encode_dead_letter
from flink_ol.wire.formats import sample_format
from flink_ol.wire.json_samples import JsonFields, JsonSamples

BINARY = Learning(task="binary")


def decoder(learning: Learning = BINARY, **fields: Any) -> JsonSamples:
    labels = Labels(learning.task, learning.classes)
    return JsonSamples(labels, JsonFields(**fields))


def decode(
    payloads: Sequence[bytes | None], made: JsonSamples | None = None
) -> tuple[Samples, list[Rejection]]:
    return (made or decoder()).decode(payloads, np.arange(len(payloads), dtype=np.int64) + 100)


def content(samples: Samples) -> list[tuple[Any, ...]]:
    """Each row as sorted (name, value, numeric), label, importance, offset."""
    rows = []
    for i in range(len(samples)):
        part = slice(samples.indptr[i], samples.indptr[i + 1])
        names = [samples.names[key] for key in samples.keys[part].tolist()]
        entries = zip(
            names, samples.values[part].tolist(), samples.numeric[part].tolist(), strict=True
        )
        rows.append((sorted(entries), samples.labels[i], samples.importance[i], samples.offsets[i]))
    return rows


NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = NUMBERS | st.sampled_from(["red", "blue", ""]) | st.booleans() | st.none()
ROWS = st.dictionaries(st.sampled_from("abcdef"), VALUES, max_size=5)
DENSE = st.fixed_dictionaries({"a": NUMBERS, "b": NUMBERS})
LISTS = st.lists(VALUES, max_size=4)
RECORDS = st.fixed_dictionaries(
    {"x": ROWS | DENSE | LISTS, "y": st.sampled_from([0, 1, -1, True, False])},
    optional={"w": st.floats(0.1, 10), "id": st.integers(0, 9), "t": st.integers(0, 9)},
)
POISON = st.sampled_from(
    [
        None,
        b"",
        b"1,2",
        b"{},{}",
        b'{"x":{"a":1},"y":1',
        b'"y":2}',
        b'{"x":{"a":[{}',
        b"{}]},1]}",
        b"[1]",
        b"null",
        b'{"x":{"a":NaN},"y":1}',
        b'{"x":{"a":1e999},"y":1}',
        b'{"x":{"a":[1]},"y":1}',
        b'{"x":{"a":1}}',
        b'{"x":{"a":1},"y":7}',
        b'{"x":{"a":1},"y":null}',
        b'{"x":{"a":1},"y":{}}',
        b'{"y":1}',
        b'{"x":3,"y":1}',
        b'{"x":"ab","y":1}',
        b'{"x":{"a":1},"y":1,"w":0}',
        b'{"x":{"a":1},"y":1,"w":"1"}',
        b'{"x":{"a":1},"y":1,"w":true}',
        b"\x00\xff\xfe",
    ]
)


@given(st.lists(RECORDS, max_size=6))
def test_a_batch_is_its_records_one_by_one(records: list[dict[str, Any]]) -> None:
    payloads: list[bytes | None] = [orjson.dumps(record) for record in records]
    together, rejected = decode(payloads)
    assert rejected == []
    alone = []
    for i, payload in enumerate(payloads):
        one, _ = decoder().decode([payload], np.array([100 + i]))
        alone += content(one)
    assert content(together) == alone


@given(st.lists(RECORDS.map(orjson.dumps) | POISON, max_size=8))
def test_a_bad_record_harms_no_other(payloads: list[bytes | None]) -> None:
    samples, rejections = decode(payloads)
    bad = [i for i, payload in enumerate(payloads) if decode([payload])[1] or payload is None]
    assert [rejection.offset for rejection in rejections] == [100 + i for i in bad]
    assert all(rejection.reason for rejection in rejections)
    good = [i for i in range(len(payloads)) if i not in bad]
    clean, _ = decoder().decode([payloads[i] for i in good], np.array(good, np.int64) + 100)
    assert content(samples) == content(clean)


@given(POISON)
def test_poison_is_rejected_with_a_reason(payload: bytes | None) -> None:
    samples, ((offset, reason, _),) = decode([payload])
    assert len(samples) == 0
    assert offset == 100
    assert len(reason) > 10


def test_a_record_over_the_limit_is_rejected_unread() -> None:
    samples, ((_, reason, _),) = decode([b'{"x":{"a":"' + b"a" * (2 << 20) + b'"},"y":1}'])
    assert len(samples) == 0
    assert "at most 1048576" in reason


@pytest.mark.parametrize(
    "record",
    [
        {"x": {"a": 1}, "y": "\x01" * 150_000},
        {"x": {"a": 1}, "y": [1] * 400_000},
        {"x": {"a": 1}, "y": 1, "w": "\x01" * 150_000},
        {"x": {"\x01" * 150_000: [1]}, "y": 1},
        {"x": "\x01" * 150_000, "y": 1},
    ],
)
def test_reasons_stay_short_whatever_the_record_holds(record: dict[str, Any]) -> None:
    payload = orjson.dumps(record)
    _, ((offset, reason, _),) = decode([payload])
    assert len(reason) < 500
    assert len(encode_dead_letter("a.samples", 0, offset, reason, payload)) < 1_000_000


def test_a_value_nested_to_the_parsers_limit_is_rejected() -> None:
    deep = b"[" * 1000 + b"]" * 1000
    payloads: list[bytes | None] = [b'{"x":{"a":%s},"y":1}' % deep, b'{"x":{"a":1},"y":%s}' % deep]
    samples, rejections = decode(payloads)
    assert (len(samples), len(rejections)) == (0, 2)


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b'{"x":{"a":NaN},"y":1}', "NaN at character 10"),
        (b'{"x":{"a":-Infinity},"y":1}', "Infinity at character 11"),
        (b'{"x":{"a":"\xff"},"y":1}', "not UTF-8 at byte 11 .0xff."),
        (b'{"x":{"a":1', "line 1 column"),
    ],
)
def test_what_is_no_json_is_pointed_at(payload: bytes, words: str) -> None:
    _, ((_, reason, _),) = decode([payload])
    assert re.search(words, reason)


def test_records_that_only_together_are_json_are_rejected() -> None:
    # joined by commas alone, these three would read as three records
    samples, rejections = decode([b'{"x":{},"y":1', b'"w":2}', b'{"x":{},"y":1},{"x":{},"y":0}'])
    assert len(samples) == 0
    assert len(rejections) == 3


def test_the_same_numbers_in_every_shape_are_the_same_samples() -> None:
    rows = [{"0": 1.5, "1": -2}, {"0": 3, "1": 0.25}]
    named = [orjson.dumps({"x": row, "y": 1}) for row in rows]
    lists = [orjson.dumps({"x": list(row.values()), "y": 1}) for row in rows]
    flat = [orjson.dumps({**row, "y": 1, "id": 7, "t": 8}) for row in rows]
    expected = content(decode(named)[0])
    assert content(decode(lists)[0]) == expected
    assert content(decode(flat, decoder(features=None))[0]) == expected


def test_texts_and_truth_values_are_categories_of_value_one() -> None:
    samples, _ = decode([b'{"x":{"c":"red","d":true,"e":null,"f":2},"y":1}'])
    (row,) = content(samples)
    assert row[0] == [("c=red", 1.0, False), ("d=true", 1.0, False), ("f", 2.0, True)]


def test_hash_bits_bound_the_keys() -> None:
    made = sample_format(
        "json", JsonFields(), Learning(task="binary", features=Features(hash_bits=3))
    )
    samples, _ = made.decode(
        [orjson.dumps({"x": {f"f{i}": i for i in range(50)}, "y": 1})], np.array([7])
    )
    assert set(samples.keys) <= set(range(8))
    assert samples.keys[7] == feature_key("f7", 3)


@pytest.mark.parametrize("payload", [b"", b"nonsense", b'{"id": 3, "x": {"a": [1]}}', b"{}"])
def test_a_request_that_cannot_be_answered_says_why(payload: bytes) -> None:
    request = decoder().decode_request(payload, 2, 9)
    assert request.row is None
    assert request.error
    assert (request.partition, request.offset) == (2, 9)


def test_a_request_needs_no_label() -> None:
    request = decoder().decode_request(b'{"id": "q", "x": {"a": 1}}', 0, 5)
    assert (request.id, request.error) == ("q", None)
    assert content(request.row)[0][0] == [("a", 1.0, True)]


def test_what_is_encoded_is_decoded() -> None:
    made = decoder()
    samples, _ = decode([made.encode({"a": 1.5, "c": "red"}, label=1, importance=2.0)], made)
    assert content(samples) == [([("a", 1.5, True), ("c=red", 1.0, False)], 1.0, 2.0, 100)]
