"""Bytes in Arrow columns are the arrays that their metadata say; wrong ones harm no other row."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flink_ol.core.config import Learning
from flink_ol.core.labels import Labels
from flink_ol.core.learner import Learner
from flink_ol.core.loop import Loop
from flink_ol.wire.arrow_samples import ArrowFields, ArrowSamples
from flink_ol.wire.arrow_writing import encode_matrix
from flink_ol.wire.raw_arrays import KINDS
from tests.wire.test_arrow_plain import plain
from tests.wire.test_arrow_samples import BINARY, arrow, json_rows, rows_of, stream, streamed
from tests.wire.test_format_laws import content

BYTES = ["fixed", "binary", "large"]
BOTH = {"x": {"dtype": "uint8", "shape": "[2, 2]"}}


def kind_of(name: str, size: int) -> pa.DataType:
    return {"fixed": pa.binary(size), "binary": pa.binary(), "large": pa.large_binary()}[name]


def declared(array: np.ndarray, column: str = "x") -> dict[str, dict[str, str]]:
    shape = orjson.dumps(list(array.shape[1:])).decode()
    return {column: {"dtype": array.dtype.name, "shape": shape}}


def raw(array: np.ndarray, name: str) -> pa.Array:
    """(rows, ...) as a column of bytes."""
    rows = [one.astype(array.dtype.newbyteorder("<")).tobytes() for one in array]
    return pa.array(rows, kind_of(name, len(rows[0])))


@pytest.mark.parametrize("name", BYTES)
@pytest.mark.parametrize("dtype", KINDS)
def test_bytes_are_the_list_of_their_items(name: str, dtype: str) -> None:
    images = np.random.default_rng(3).integers(0, 100, (5, 2, 3)).astype(dtype)
    y = [0, 1, 1, 0, 1]
    found = rows_of(stream({"x": raw(images, name), "y": y}, declared(images)))
    lists = [(image.ravel().tolist(), label) for image, label in zip(images, y, strict=True)]
    assert found == json_rows(lists)


@pytest.mark.parametrize("name", BYTES)
@pytest.mark.parametrize("shape", [(3072,), (32, 32, 3)])
def test_bytes_give_the_model_that_lists_give(name: str, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(4)
    images = rng.integers(0, 256, (40, *shape), np.uint8)
    y = rng.integers(0, 2, 40)
    learning = Learning(task="binary")
    models = []
    for payload in (
        stream({"x": raw(images, name), "y": y}, declared(images)),
        encode_matrix(images, y, None, ArrowFields()),
    ):
        loop = Loop(Learner(learning), "a", "", lambda: 0)
        loop.batch(0, *arrow(learning).decode([payload], np.array([0])))
        models.append(loop.snapshot().frame)
    np.testing.assert_array_equal(models[0].keys, models[1].keys)
    for part, array in models[0].arrays.items():
        np.testing.assert_array_equal(array, models[1].arrays[part])


@pytest.mark.parametrize("name", BYTES)
@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize("codec", [None, "zstd"])
def test_null_is_an_array_without_items(name: str, start: int, codec: str | None) -> None:
    rows = [b"abcd", None, b"efgh", None]
    column = pa.array(rows, kind_of(name, 4))
    fields = [pa.field("image", column.type, metadata=BOTH["x"]), pa.field("y", pa.int64())]
    batch = pa.RecordBatch.from_arrays([column, pa.array([0, 1, 1, 0])], schema=pa.schema(fields))
    names = [f"image[{i}]" for i in range(4)]
    expected = json_rows(
        [
            ({} if row is None else dict(zip(names, row, strict=True)), y)
            for row, y in zip(rows, [0, 1, 1, 0], strict=True)
        ]
    )
    assert rows_of(streamed([batch.slice(start)], compression=codec)) == expected[start:]


@pytest.mark.parametrize("name", ["binary", "large"])
@given(st.lists(st.sampled_from([None, b"", b"abc", b"abcd", b"wxyz", b"abcde"]), min_size=1))
def test_a_row_of_another_length_is_one_dead_letter(name: str, rows: list[bytes | None]) -> None:
    payload = stream({"x": pa.array(rows, kind_of(name, 0)), "y": [1] * len(rows)}, BOTH)
    samples, rejections = arrow().decode([payload], np.array([9]))
    wrong = [i for i, row in enumerate(rows) if row is not None and len(row) != 4]
    assert [(one.offset, one.row) for one in rejections] == [(9, i) for i in wrong]
    for one, i in zip(rejections, wrong, strict=True):
        size = len(rows[i] or b"")
        assert one.reason == f"row {i}: 'x' has {size} bytes; shape 2x2 of uint8 has 4 bytes"
    good = [(list(row or b""), 1) for i, row in enumerate(rows) if i not in wrong]
    assert [row[:3] for row in content(samples)] == (json_rows(good) if good else [])


def test_an_item_that_is_no_finite_number_is_its_row_s_fault() -> None:
    images = np.array([[1.0, 2.0], [1.0, np.nan], [3.0, 4.0]], np.float32)
    for name in BYTES:
        payload = stream({"x": raw(images, name), "y": [0, 1, 1]}, declared(images))
        samples, (rejection,) = arrow().decode([payload], np.array([9]))
        assert (len(samples), rejection.row) == (2, 1)
        assert "feature '1' is nan" in rejection.reason


def test_arrays_of_a_fixed_size_are_read_together_and_stand_beside_other_features() -> None:
    images = np.arange(8, dtype=np.int16).reshape(2, 2, 2)
    columns = {
        "x": raw(images, "fixed"),
        "a": [1.5, 2.5],
        "l": pa.array([[7.0], [8.0]], pa.list_(pa.float32(), 1)),
        "y": [0, 1],
    }
    payload = stream(columns, declared(images))
    assert plain(payload)
    others = [payload, stream({**columns, "x": raw(images, "binary")}, declared(images))]
    assert not plain(others[1])
    numbered = [{str(i): v for i, v in enumerate(image.ravel().tolist())} for image in images]
    expected = json_rows(
        [
            ({"a": 1.5, "l[0]": 7.0, **numbered[0]}, 0),
            ({"a": 2.5, "l[0]": 8.0, **numbered[1]}, 1),
        ]
    )
    for one in others:
        assert rows_of(one) == expected


def test_a_request_may_hold_bytes() -> None:
    request = arrow().decode_request(stream({"x": [b"abcd"], "id": [3]}, BOTH), 0, 1)
    assert (request.id, request.error) == (3, None)
    assert content(request.row)[0][0] == json_rows([(list(b"abcd"), 0)])[0][0]
    short = arrow().decode_request(stream({"x": [b"abc"], "id": [3]}, BOTH), 0, 1)
    assert (short.row, "'x' has 3 bytes" in (short.error or "")) == (None, True)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({}, "give the column the metadata dtype and shape"),
        ({"dtype": "uint8"}, "give the column the metadata dtype and shape"),
        ({"dtype": "complex64", "shape": "[4]"}, "dtype is 'complex64'; give one of uint8,"),
        ({"dtype": "uint8", "shape": "4x4"}, "its shape '4x4'; give the column the metadata"),
        ({"dtype": "uint8", "shape": "[0, 4]"}, "give a list of whole numbers above 0"),
        ({"dtype": "uint8", "shape": "[2.0, 2]"}, "give a list of whole numbers above 0"),
        ({"dtype": "uint8", "shape": "[1099511627776, 9]"}, "more than 1048576 items"),
        ({"dtype": "uint8", "shape": "[5]"}, "fixed_size_binary[4]; shape 5 of uint8 has 5 bytes"),
        ({"dtype": "float32", "shape": "[4]"}, "shape 4 of float32 has 16 bytes"),
    ],
)
def test_bytes_that_are_no_array_make_the_message_a_dead_letter(
    change: dict[str, str], why: str
) -> None:
    payload = stream({"x": pa.array([b"abcd"], pa.binary(4)), "y": [1]}, {"x": change})
    good = stream({"x": [b"abcd"], "y": [1]}, BOTH)
    samples, (rejection,) = arrow(BINARY).decode([good, payload, good], np.array([3, 4, 5]))
    assert (samples.offsets.tolist(), rejection.offset, rejection.row) == ([3, 5], 4, None)
    assert rejection.reason.startswith("column 'x' is of type fixed_size_binary[4]")
    assert why in rejection.reason


@pytest.mark.parametrize("part", ["y", "id", "t"])
def test_bytes_are_neither_label_nor_id_nor_time(part: str) -> None:
    for kind in (pa.binary(4), pa.binary()):
        columns: dict[str, Any] = {"a": [1.0], "y": [1], part: pa.array([b"abcd"], kind)}
        _, (rejection,) = arrow().decode([stream(columns)], np.array([3]))
        assert f"{part!r} is of type" in rejection.reason


def test_what_the_metadata_claim_costs_no_memory() -> None:
    payload = stream(
        {"x": [b""] * 5, "y": [1] * 5}, {"x": {"dtype": "uint8", "shape": "[1048576]"}}
    )
    made = ArrowSamples(Labels("binary", None), ArrowFields())
    samples, rejections = made.decode([payload], np.array([3]))
    assert (len(samples), len(rejections)) == (0, 5)
    assert not made._names._numbered
