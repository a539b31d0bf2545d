"""Records read by their common layout are what the parser makes of them, one by one."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flink_ol.core.config import Learning
from flink_ol.core.labels import Labels
from flink_ol.core.samples import Samples
from flink_ol.wire.json_rows import AlikeRows, layout_of
from flink_ol.wire.json_samples import JsonFields, JsonSamples
from flink_ol.wire.names import FeatureNames

BINARY, REGRESSION = Learning(task="binary"), Learning(task="regression")
NESTED, FLAT = JsonFields(), JsonFields(features=None)


def decoder(learning: Learning, fields: JsonFields) -> JsonSamples:
    return JsonSamples(Labels(learning.task, learning.classes), fields)


def alike(learning: Learning, fields: JsonFields, records: list[bytes]) -> Samples | None:
    rows = AlikeRows(Labels(learning.task, learning.classes), fields, FeatureNames())
    return rows.samples(records, np.arange(len(records)))


def assert_same(samples: Samples, records: list[bytes], parser: JsonSamples) -> None:
    for i, record in enumerate(records):
        row, one = samples.rows(i, i + 1), parser.decode_request(record, 0, i).row
        assert one is not None
        for name in ("keys", "values", "numeric", "importance"):
            np.testing.assert_array_equal(getattr(row, name), getattr(one, name), err_msg=name)


finite = st.floats(allow_nan=False, allow_infinity=False)
short = st.decimals(-1000, 1000, places=4).map(float)
number = st.one_of(short, st.integers(-(2**40), 2**40), st.sampled_from([0, -0.0, 1e22, 1.5e-7]))


@st.composite
def streams(draw: st.DrawFn, numbers: st.SearchStrategy[Any] = number) -> list[dict[str, Any]]:
    names = draw(st.lists(st.text(max_size=5), min_size=1, max_size=4, unique=True))
    listed = draw(st.booleans())
    count = draw(st.integers(1, 6))
    records = []
    for _ in range(count):
        values = [draw(numbers) for _ in names]
        x: Any = values if listed else dict(zip(names, values, strict=True))
        records.append({"t": draw(numbers), "x": x, "y": draw(number), "note": 'a "1" \\'})
    return records


@given(streams(), st.sampled_from([None, 1]))
def test_alike_records_are_read_as_the_parser_reads_them(
    stream: list[dict[str, Any]], indent: int | None
) -> None:
    records = [json.dumps(record, indent=indent).encode() for record in stream]
    samples = alike(REGRESSION, NESTED, records)
    assert samples is not None
    assert samples.labels.tolist() == [float(record["y"]) for record in stream]
    assert_same(samples, records, decoder(REGRESSION, NESTED))


@given(streams(finite))
def test_numbers_of_any_length_come_out_to_the_last_bit(stream: list[dict[str, Any]]) -> None:
    records = [json.dumps(record).encode() for record in stream]
    samples, rejections = decoder(REGRESSION, NESTED).decode(records, np.arange(len(records)))
    assert not rejections
    written = [record["x"] for record in stream]
    values = [v for x in written for v in (x if isinstance(x, list) else x.values())]
    assert samples.values.tolist() == values


@pytest.mark.parametrize("number", [b"1.e5", b"1.", b"01", b"+1", b".5", b"-"])
def test_what_is_no_number_of_json_is_left_to_the_parser(number: bytes) -> None:
    records = [b'{"x":{"a":1},"y":1}', b'{"x":{"a":%b},"y":1}' % number]
    assert alike(Learning(task="binary"), JsonFields(), records) is None


def test_flat_records_leave_the_parts_out() -> None:
    records = [b'{"a":%d,"id":%d,"y":%d,"w":2,"b":0.5}' % (i, 100 + i, i % 2) for i in range(5)]
    samples = alike(BINARY, FLAT, records)
    assert samples is not None
    assert samples.values.tolist() == [v for i in range(5) for v in (float(i), 0.5)]
    assert samples.importance.tolist() == [2.0] * 5
    assert samples.labels.tolist() == [0.0, 1.0, 0.0, 1.0, 0.0]
    assert_same(samples, records, decoder(BINARY, FLAT))


FIRST = b'{"x":{"a":1,"b":2},"y":1}'


@pytest.mark.parametrize(
    "other",
    [
        b"",
        None,
        b'{"x":{"a":1,"b":2},"y":1',
        b'{"x":{"a":1,"b":2},"y":1}}',
        b'{"x":{"b":1,"a":2},"y":1}',
        b'{"x":{"a":1},"y":1}',
        b'{"x":{"a":01,"b":2},"y":1}',
        b'{"x":{"a":+1,"b":2},"y":1}',
        b'{"x":{"a":.5,"b":2},"y":1}',
        b'{"x":{"a":5.,"b":2},"y":1}',
        b'{"x":{"a":1e,"b":2},"y":1}',
        b'{"x":{"a":-,"b":2},"y":1}',
        b'{"x":{"a":,"b":2},"y":1}',
        b'{"x":{"a":NaN,"b":2},"y":1}',
        b'{"x":{"a":1e400,"b":2},"y":1}',
        b'{"x":{"a":12345678901234567890,"b":2},"y":1}',
        b'{"x":{"a":0.12345678901234567890123,"b":2},"y":1}',
        b'{"x":{"a":true,"b":2},"y":1}',
        b'{"x":{"a":1,"b":2},"y":3}',
        b'{"x":{"a":1,"b":2},"y":0.5}',
    ],
)
def test_what_is_not_alike_is_left_to_the_parser(other: bytes | None) -> None:
    assert alike(BINARY, NESTED, [FIRST, FIRST]) is not None
    assert alike(BINARY, NESTED, [FIRST, other, FIRST]) is None  # type: ignore[list-item]


@pytest.mark.parametrize(
    "record",
    [
        b'{"x":{"a":1,"a":2},"y":1}',
        b'{"x":{"a":"red"},"y":1}',
        b'{"x":{"a":null},"y":1}',
        b'{"x":{},"y":1}',
        b'{"x":{"a":1},"y":true}',
        b'{"x":{"a":1},"y":"1"}',
        b'{"x":{"a":1}}',
        b'{"x":{"a":1},"y":1,"w":true}',
        b'{"x":{"a":1},"y":1,"more":[1]}',
        b'{"x":3,"y":1}',
        b"[1]",
        b"{",
    ],
)
def test_records_without_a_plain_layout_have_none(record: bytes) -> None:
    assert layout_of(record, NESTED) is None


def test_an_importance_that_is_not_above_zero_is_left_to_the_parser() -> None:
    records = [b'{"x":{"a":1},"y":1,"w":%d}' % weight for weight in (1, 0)]
    assert alike(BINARY, NESTED, records) is None
    samples, rejections = decoder(BINARY, NESTED).decode(records, np.arange(2))
    assert len(samples) == 1
    assert [rejection.offset for rejection in rejections] == [1]


def test_a_stream_may_change_its_layout() -> None:
    rows = AlikeRows(Labels("binary", None), NESTED, FeatureNames())
    other = b'{"y": 0, "x": [1, 2, 3]}'
    for record, width in ((FIRST, 2), (other, 3), (FIRST, 2)):
        samples = rows.samples([record] * 3, np.arange(3))
        assert samples is not None
        assert len(samples.values) == 3 * width


def test_streams_that_are_never_alike_are_rarely_tried() -> None:
    rows = AlikeRows(Labels("binary", None), NESTED, FeatureNames())
    for _ in range(100):
        assert rows.samples([FIRST, b"{"], np.arange(2)) is None
    tried = sum(rows.samples([FIRST, FIRST], np.arange(2)) is not None for _ in range(40))
    assert tried >= 1
