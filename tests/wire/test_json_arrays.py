"""Arrays of raw bytes in JSON are the lists of their items; wrong sizes are refused."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flink_ol.wire.arrow_samples import ArrowFields
from flink_ol.wire.arrow_writing import encode_matrix
from flink_ol.wire.formats import sample_format
from flink_ol.wire.json_arrays import encoded_array
from flink_ol.wire.json_samples import JsonFields
from tests.wire.test_format_laws import BINARY, content

JSON = sample_format("json", JsonFields(), BINARY)
KINDS = ["uint8", "int8", "uint16", "int32", "int64", "float16", "float32", "float64"]


@given(st.lists(st.sampled_from([*KINDS, "list", "mapping"]), min_size=1, max_size=6))
def test_an_array_is_the_list_of_its_items(kinds: list[str]) -> None:
    rng = np.random.default_rng(len(kinds))
    records, lists = [], []
    for kind in kinds:
        values = rng.integers(0, 100, (2, int(rng.integers(1, 4)), 3))
        row: Any = values.ravel().tolist()
        lists.append(JSON.encode(row, 1))
        if kind == "mapping":
            row = {str(i): value for i, value in enumerate(row)}
        elif kind != "list":
            row = values.astype(kind)
        records.append(JSON.encode(row, 1))
    offsets = np.arange(len(kinds))
    found, rejections = JSON.decode(records, offsets)
    assert rejections == []
    assert content(found) == content(JSON.decode(lists, offsets)[0])
    request = JSON.decode_request(records[0], 0, 0)
    assert content(request.row)[0][0] == content(found)[0][0]


def test_images_as_json_and_as_arrow_are_the_same() -> None:
    images = np.random.default_rng(1).integers(0, 256, (5, 4, 4, 3), np.uint8)
    y = np.array([0, 1, 1, 0, 1])
    records = [JSON.encode(image, label) for image, label in zip(images, y.tolist(), strict=True)]
    packed = encode_matrix(images, y, None, ArrowFields())
    arrow = sample_format("arrow", ArrowFields(), BINARY)
    ours, theirs = JSON.decode(records, np.arange(5))[0], arrow.decode([packed], np.array([0]))[0]
    assert [row[:3] for row in content(ours)] == [row[:3] for row in content(theirs)]
    assert len(records[0]) < 150


GOOD = encoded_array(np.array([1.0, 2.0], np.float32))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"dtype": "complex64"}, "dtype is"),
        ({"dtype": ["uint8"]}, "dtype is"),
        ({"shape": [3]}, "12 bytes, which are 16"),
        ({"shape": [1 << 40, 1 << 40]}, "more than 1048576 items"),
        ({"shape": [1] * 33}, "at most 32"),
        ({"shape": [1 << 20]}, "characters"),
        ({"shape": [-1, -2]}, "shape is"),
        ({"shape": [True, 2]}, "shape is"),
        ({"shape": 2}, "shape is"),
        ({"base64": 7}, "base64 is 7"),
        ({"base64": "!" * 12}, "damaged"),
        ({"base64": "\u00fc" * 12}, "damaged"),
        ({"base64": base64.b64encode(b"1234567").decode()}, "has 7 bytes"),
        ({"base64": base64.b64encode(np.array([1, np.inf], "<f4").tobytes()).decode()}, "item 1"),
    ],
)
def test_wrong_arrays_are_refused_and_harm_no_other(change: dict[str, Any], why: str) -> None:
    bad, good = (orjson.dumps({"x": {**GOOD, **made}, "y": 1}) for made in (change, {}))
    samples, (rejection,) = JSON.decode([good, bad, good], np.array([3, 4, 5]))
    assert (samples.offsets.tolist(), rejection.offset) == ([3, 5], 4)
    assert why in rejection.reason
    assert len(rejection.reason) < 500
    assert why in (JSON.decode_request(bad, 0, 0).error or "")
