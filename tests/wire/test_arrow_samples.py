"""The same samples as Arrow and as JSON are the same; damage costs what is damaged and no more."""

from __future__ import annotations

import gzip
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flink_ol.core.config import Features, Learning
from flink_ol.core.learner import Learner
from flink_ol.core.loop import Loop
from flink_ol.wire.arrow_samples import ArrowFields
from flink_ol.wire.arrow_writing import encode_matrix, encode_rows
from flink_ol.wire.formats import SampleFormat, sample_format
from flink_ol.wire.json_samples import JsonFields
from tests.wire.test_format_laws import BINARY, NUMBERS, TEXTS, content

FIELDS = ArrowFields()


def arrow(learning: Learning = BINARY) -> SampleFormat:
    return sample_format("arrow", FIELDS, learning)


def plain(learning: Learning = BINARY) -> SampleFormat:
    return sample_format("json", JsonFields(), learning)


Declared = Mapping[str, Mapping[str, str]]


def stream(columns: Mapping[str, Any], declared: Declared | None = None, **options: Any) -> bytes:
    """One message; a column is an Arrow array or a list, and has the metadata ``declared``."""
    arrays, said = [pa.array(c) for c in columns.values()], declared or {}
    fields = [
        pa.field(name, array.type, metadata=said.get(name))
        for name, array in zip(columns, arrays, strict=True)
    ]
    return streamed([pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))], **options)


def streamed(batches: Sequence[pa.RecordBatch], **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    chosen = pa.ipc.IpcWriteOptions(**options)
    with pa.ipc.new_stream(sink, batches[0].schema, options=chosen) as writer:
        for batch in batches:
            writer.write_batch(batch)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def rows_of(payload: bytes | Sequence[bytes], learning: Learning = BINARY) -> list[Any]:
    payloads = [payload] if isinstance(payload, bytes) else payload
    samples, rejections = arrow(learning).decode(payloads, np.arange(len(payloads)) + 100)
    assert rejections == []
    return [row[:3] for row in content(samples)]


def json_rows(rows: Sequence[tuple[Any, Any]], **parts: Sequence[Any]) -> list[Any]:
    made = plain()
    records = [
        made.encode(x, y, **{part: values[i] for part, values in parts.items()})
        for i, (x, y) in enumerate(rows)
    ]
    samples, rejections = made.decode(records, np.arange(len(rows)))
    assert rejections == []
    return [row[:3] for row in content(samples)]


KINDS = [NUMBERS.map(float), st.integers(-(2**31), 2**31), TEXTS, st.booleans()]
LABEL = st.sampled_from([0, 1, -1])


@st.composite
def tables(draw: st.DrawFn) -> list[tuple[dict[str, Any], int]]:
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=4))
    row = st.fixed_dictionaries({f"f{i}": kind | st.none() for i, kind in enumerate(kinds)})
    return draw(st.lists(st.tuples(row, LABEL), min_size=1, max_size=8))


@given(tables(), st.integers(1, 8))
def test_the_same_samples_as_arrow_and_as_json_are_the_same(
    rows: list[tuple[dict[str, Any], int]], cut: int
) -> None:
    written = [{**x, "y": y} for x, y in rows]
    parts = [written[:cut], written[cut:]]
    assert rows_of([encode_rows(part) for part in parts if part]) == json_rows(rows)


@given(tables(), st.floats(0.1, 10))
def test_a_message_of_one_row_is_what_the_record_is_in_json(
    rows: list[tuple[dict[str, Any], int]], weight: float
) -> None:
    payloads = [arrow().encode(x, y, importance=weight, id="a", time=5) for x, y in rows]
    assert rows_of(payloads) == json_rows(rows, importance=[weight] * len(rows))


@pytest.mark.parametrize("bits", [None, 3])
def test_the_same_samples_as_arrow_and_as_json_give_the_same_model(bits: int | None) -> None:
    learning = Learning(task="binary", features=Features(hash_bits=bits))
    rng = np.random.default_rng(7)
    X = rng.normal(size=(300, 5))
    y = (X[:, 0] > X[:, 1]).astype(np.int64)
    packed = [encode_matrix(X[i : i + 70], y[i : i + 70], None, FIELDS) for i in range(0, 300, 70)]
    one = plain(learning)
    records = [one.encode(x, label) for x, label in zip(X.tolist(), y.tolist(), strict=True)]
    models = []
    for made, payloads in ((arrow(learning), packed), (one, records)):
        loop = Loop(Learner(learning), "a", "", lambda: 0)
        loop.batch(0, *made.decode(payloads, np.arange(len(payloads))))
        models.append(loop.snapshot().frame)
    np.testing.assert_array_equal(models[0].keys, models[1].keys)
    for part, array in models[0].arrays.items():
        np.testing.assert_array_equal(array, models[1].arrays[part])


@pytest.mark.parametrize("kind", ["int8", "uint8", "int16", "uint32", "uint64", "int64"])
@pytest.mark.parametrize("nulls", [False, True])
def test_integers_of_any_width_are_numbers(kind: str, nulls: bool) -> None:
    values = [0, 100, None if nulls else 7]
    found = rows_of(stream({"a": pa.array(values, kind), "y": [0, 1, 1]}))
    assert found == json_rows([({"a": v}, y) for v, y in zip(values, [0, 1, 1], strict=True)])


@pytest.mark.parametrize("kind", [pa.float16(), pa.float32(), pa.float64()])
def test_floats_of_any_width_are_numbers(kind: pa.DataType) -> None:
    values = np.array([0.5, -1.25, 3.0]).astype(kind.to_pandas_dtype())
    found = rows_of(stream({"a": pa.array(values, kind), "y": [0, 1, 1]}))
    assert found == json_rows([({"a": 0.5}, 0), ({"a": -1.25}, 1), ({"a": 3.0}, 1)])


DENSE = [[1.5, 2.0], [3.0, None], [4.0, 5.0]]
LIST_KINDS = pytest.mark.parametrize(
    "kind", [pa.list_(pa.float32()), pa.large_list(pa.float64()), pa.list_(pa.float32(), 2)]
)


@LIST_KINDS
@pytest.mark.parametrize("start", [0, 1])
def test_a_column_of_lists_is_a_list_in_json(kind: pa.DataType, start: int) -> None:
    batch = pa.RecordBatch.from_arrays([pa.array(DENSE, kind), pa.array([0, 1, 1])], ["x", "y"])
    expected = json_rows(list(zip(DENSE, [0, 1, 1], strict=True)))
    assert rows_of(streamed([batch.slice(start)])) == expected[start:]


@LIST_KINDS
def test_lists_beside_other_features_carry_their_column_s_name(kind: pa.DataType) -> None:
    payload = stream(
        {"a": [1.0, None, 3.0], "image": pa.array([DENSE[0], None, DENSE[1]], kind), "y": [0, 1, 1]}
    )
    expected = [
        ({"a": 1.0, "image[0]": 1.5, "image[1]": 2.0}, 0),
        ({}, 1),
        ({"a": 3.0, "image[0]": 3.0}, 1),
    ]
    assert rows_of(payload) == json_rows(expected)


SPARSE = st.lists(st.dictionaries(st.integers(0, 2**62), NUMBERS, max_size=6), min_size=1)


@given(SPARSE)
def test_indices_and_values_are_features_named_by_a_number(rows: list[dict[int, float]]) -> None:
    payload = stream(
        {
            "indices": pa.array([list(row) for row in rows], pa.list_(pa.int64())),
            "values": pa.array(
                [list(map(float, row.values())) for row in rows], pa.list_(pa.float64())
            ),
            "y": [1] * len(rows),
        }
    )
    assert rows_of(payload) == json_rows([({str(k): v for k, v in r.items()}, 1) for r in rows])


def test_dictionaries_are_texts_unused_values_and_nulls_aside() -> None:
    words = pa.DictionaryArray.from_arrays(
        pa.array([2, 0, None, 3], pa.int8()), pa.array(["red", "unused", "blue", None])
    )
    payload = stream({"kind": words, "y": ["b", "a", "a", "b"]})
    learning = Learning(task="binary", classes=("a", "b"))
    found = rows_of(payload, learning)
    names = [[entry[1] for entry in row[0]] for row in found]
    assert names == [["kind=blue"], ["kind=red"], [], []]
    assert [row[1] for row in found] == [1.0, 0.0, 0.0, 1.0]


@pytest.mark.parametrize("label", [[True, False], [1.0, 0.0], [1, -1], ["b", "a"]])
def test_labels_are_what_they_are_in_json(label: list[Any]) -> None:
    classes = ("a", "b") if label == ["b", "a"] else None
    learning = Learning(task="binary", classes=classes)
    assert [row[1] for row in rows_of(stream({"a": [1, 2], "y": label}), learning)] == [1.0, 0.0]


@pytest.mark.parametrize("codec", ["lz4", "zstd"])
def test_compressed_buffers_are_the_same(codec: str) -> None:
    columns = {"a": np.arange(500.0), "kind": ["x", "y"] * 250, "y": [0, 1] * 250}
    assert rows_of(stream(columns, compression=codec)) == rows_of(stream(columns))


def test_many_batches_in_a_message_are_its_rows() -> None:
    batch = pa.RecordBatch.from_pydict({"a": [1.0, 2.0], "y": [0, 1]})
    assert rows_of(streamed([batch, batch.slice(2), batch])) == rows_of(streamed([batch])) * 2


BAD_ROWS: list[tuple[dict[str, Any], str]] = [
    ({"y": None}, "'y': None is no label"),
    ({"y": 7}, "'y': 7 is no label"),
    ({"a": math.nan}, "feature 'a' is nan"),
    ({"a": math.inf}, "feature 'a' is inf"),
    ({"w": 0.0}, "'w' is 0.0"),
    ({"w": math.nan}, "'w' is nan"),
    ({"indices": [-1, 2]}, "number below 0"),
    ({"indices": [1, 2, 3]}, "differ in length"),
    ({"indices": [None, 2]}, "has null"),
    ({"values": [1.0, math.inf]}, "feature '2' is inf"),
]
GOOD = {"a": 1.0, "y": 1, "w": 2.0, "indices": [1, 2], "values": [0.5, 0.25]}


@given(st.lists(st.sampled_from([None, *range(len(BAD_ROWS))]), min_size=1, max_size=6))
def test_a_bad_row_is_one_rejection_and_harms_no_other(choices: list[int | None]) -> None:
    rows = [{**GOOD, **({} if c is None else BAD_ROWS[c][0])} for c in choices]
    samples, rejections = arrow().decode([encode_rows(rows)], np.array([9]))
    assert [(r.offset, r.row) for r in rejections] == [
        (9, i) for i, c in enumerate(choices) if c is not None
    ]
    for rejection in rejections:
        choice = choices[rejection.row]  # type: ignore[index]
        assert choice is not None
        assert rejection.reason.startswith(f"row {rejection.row}: ")
        assert BAD_ROWS[choice][1] in rejection.reason
    good = [row for row, c in zip(rows, choices, strict=True) if c is None]
    expected = rows_of(encode_rows(good)) if good else []
    assert [row[:3] for row in content(samples)] == expected
    assert set(samples.offsets.tolist()) <= {9}


def test_samples_of_one_message_share_its_offset() -> None:
    payload = stream({"a": [1.0, 2.0], "y": [0, 1]})
    samples, _ = arrow().decode([payload, payload], np.array([4, 8]))
    assert samples.offsets.tolist() == [4, 4, 8, 8]


def test_a_request_is_a_message_of_one_row() -> None:
    made = arrow()
    request = made.decode_request(made.encode({"a": 1.5, "b": "x"}, id="q7"), 2, 9)
    assert (request.id, request.error, request.partition, request.offset) == ("q7", None, 2, 9)
    expected = plain().decode_request(plain().encode({"a": 1.5, "b": "x"}), 0, 9)
    assert [r[0] for r in content(request.row)] == [r[0] for r in content(expected.row)]
    two = made.decode_request(stream({"a": [1.0, 2.0]}), 0, 1)
    assert two.row is None
    assert "one row" in (two.error or "")
    bad = made.decode_request(stream({"a": [math.nan], "id": [3]}), 0, 1)
    assert (bad.id, bad.row) == (3, None)
    assert "feature 'a' is nan" in (bad.error or "")


def test_matrices_leave_out_what_is_not_a_number() -> None:
    X = np.array([[1.0, math.nan], [2.0, 3.0]])
    rows = [({"a": 1.0}, 0), ({"a": 2.0, "b": 3.0}, 1)]
    y = np.array([0, 1])
    assert rows_of(encode_matrix(X, y, None, FIELDS, ["a", "b"])) == json_rows(rows)
    numbered = [({"0": 1.0}, 0), ({"0": 2.0, "1": 3.0}, 1)]
    weights = np.array([2.0, 3.0])
    expected = json_rows(numbered, importance=[2.0, 3.0])
    assert rows_of(encode_matrix(X, y, weights, FIELDS)) == expected


def test_parts_are_bounded_and_are_together_what_is_decoded_at_once() -> None:
    wide = encode_matrix(np.ones((500, 3000), np.float32), np.arange(500) % 2, None, FIELDS)
    payloads = [encode_rows([GOOD, {**GOOD, "a": math.nan}]), gzip.compress(wide), b"no", wide]
    payloads += [gzip.compress(wide)[:-9], wide, encode_rows([GOOD])]
    offsets = np.arange(len(payloads)) + 100
    parts = list(arrow().parts(payloads, offsets))
    assert 1 < len(parts) < len(payloads)
    assert max(len(samples.keys) for samples, _ in parts) < 8_000_000
    samples, rejections = arrow().decode(payloads, offsets)
    for name in ("keys", "values", "labels", "importance", "offsets"):
        joined = np.concatenate([getattr(part, name) for part, _ in parts])
        np.testing.assert_array_equal(joined, getattr(samples, name))
    assert [one for _, some in parts for one in some] == rejections
    assert [one.offset for one in rejections] == [100, 102, 104]


def test_rows_at_fault_are_told_in_their_order() -> None:
    bad = encode_rows([{**GOOD, "a": math.nan}] * 12)
    _, rejections = arrow().decode([gzip.compress(bad), None], np.array([3, 4]))
    assert [(one.offset, one.row) for one in rejections] == [(3, i) for i in range(12)] + [
        (4, None)
    ]


def test_no_records_are_one_part_without_samples() -> None:
    ((samples, rejections),) = arrow().parts([], np.empty(0, np.int64))
    assert (len(samples), rejections) == (0, [])
