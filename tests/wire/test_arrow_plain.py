"""Plain Arrow messages are read together: the same samples and rejections as one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flink_ol.core.labels import Labels
from flink_ol.core.samples import Rejection, Samples
from flink_ol.wire.arrow_columns import Indices
from flink_ol.wire.arrow_plain import PlainMessages
from flink_ol.wire.arrow_samples import ArrowFields, ArrowSamples
from flink_ol.wire.names import FeatureNames
from tests.wire.test_arrow_samples import stream
from tests.wire.test_format_laws import content

KINDS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
KINDS += ["float16", "float32", "float64"]
ODD = [np.nan, np.inf, -np.inf]


def decoders(labels: Labels) -> tuple[ArrowSamples, ArrowSamples]:
    """One that reads plain messages together, and one that never does."""
    quick, slow = (ArrowSamples(labels, ArrowFields()) for _ in range(2))
    slow._plain.message = lambda payload, offset: None  # type: ignore[method-assign]
    return quick, slow


def plain(payload: bytes) -> bool:
    names = FeatureNames()
    reader = PlainMessages(Labels("binary", None), ArrowFields(), names, Indices(names))
    return reader.message(payload, 0) is not None


def seen(found: tuple[Samples, list[Rejection]]) -> Any:
    return content(found[0]), found[1], found[0].indptr.tolist(), found[0].keys.tolist()


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """Of few rows; every number may be odd, and some messages are not plain."""
    rows = draw(st.integers(1, 5))
    seed, odd = draw(st.integers(0, 2**32)), draw(st.sampled_from([0.0, 0.0, 0.2]))
    rng = np.random.default_rng(seed)

    def numbers(count: int, kind: str) -> Any:
        values = rng.integers(0, 100, count).astype(kind)
        if kind.startswith("float"):
            values = np.where(rng.random(count) < odd, rng.choice(ODD, count), values).astype(kind)
        return pa.array(values)

    columns: dict[str, Any] = {}
    declared: dict[str, dict[str, str]] = {}
    shape = draw(st.sampled_from(["columns", "list", "lists", "sparse", "mixed", "bytes"]))
    if shape in ("columns", "mixed"):
        for name in ("a", "b")[: draw(st.integers(1, 2))]:
            columns[name] = numbers(rows, draw(st.sampled_from(KINDS)))
    for name in {"list": ["x"], "lists": ["x", "image"], "mixed": ["image"]}.get(shape, []):
        width = draw(st.integers(1, 3))
        items = numbers(rows * width, draw(st.sampled_from(KINDS)))
        columns[name] = pa.FixedSizeListArray.from_arrays(items, width)
    if shape == "bytes":
        kind = draw(st.sampled_from(KINDS))
        values = numbers(rows * 2, kind).to_numpy()
        size = 2 * values.itemsize
        column = pa.FixedSizeBinaryArray.from_buffers(
            pa.binary(size), rows, [None, pa.py_buffer(values.tobytes())]
        )
        columns["image"] = column.cast(pa.binary()) if draw(st.booleans()) else column
        declared = {"image": {"dtype": kind, "shape": "[2, 1]"}}
    if shape == "sparse":
        bounds = np.concatenate(([0], np.cumsum(rng.integers(0, 4, rows)))).astype(np.int32)
        largest = draw(st.sampled_from([10, 1 << 40]))
        indices = pa.array(rng.integers(-1 if odd else 0, largest, int(bounds[-1])))
        values = numbers(int(bounds[-1]), "float32")
        columns["indices"] = pa.ListArray.from_arrays(pa.array(bounds), indices)
        columns["values"] = pa.ListArray.from_arrays(pa.array(bounds), values)
    labels = rng.choice([-1.0, 0.0, 1.0, *([7.0, np.nan, 0.5] if odd else [])], rows)
    sound = bool(np.isin(labels, [-1, 0, 1]).all())
    kind = draw(st.sampled_from(["int8", "int64", "float64"])) if sound else "float64"
    columns["y"] = pa.array(labels.astype(kind))
    if draw(st.booleans()):
        columns["w"] = pa.array(rng.choice([0.5, 2.0, *([0.0, np.nan] if odd else [])], rows))
    if draw(st.booleans()):
        columns["id"] = pa.array(np.arange(rows))
    options: dict[str, Any] = {"compression": "lz4"} if draw(st.integers(0, 9)) == 0 else {}
    return stream(columns, declared, **options)


@pytest.mark.parametrize("task", ["binary", "regression"])
@given(payloads=st.lists(messages() | st.sampled_from([b"", b"no", None]), max_size=6))
def test_together_is_as_one_by_one(task: Any, payloads: list[bytes | None]) -> None:
    offsets = np.arange(len(payloads)) + 50
    quick, slow = decoders(Labels(task, None))
    assert seen(quick.decode(payloads, offsets)) == seen(slow.decode(payloads, offsets))


@given(st.lists(st.integers(0, 2**16), min_size=1, max_size=4), st.lists(messages(), min_size=1))
def test_a_changed_byte_makes_no_difference_between_the_two(
    places: list[int], payloads: list[bytes]
) -> None:
    quick, slow = decoders(Labels("binary", None))
    quick.decode(payloads, np.arange(len(payloads)))  # so that their metadata are known
    changed = bytearray(payloads[0])
    for place in places:
        changed[place % len(changed)] ^= 1 << place % 8
    mixed = [payloads[-1], bytes(changed), payloads[0]]
    found, rejections = quick.decode(mixed, np.arange(3))
    assert {*found.offsets.tolist(), *(one.offset for one in rejections)} == {0, 1, 2}
    if plain(bytes(changed)) and not rejections:
        assert seen((found, rejections)) == seen(slow.decode(mixed, np.arange(3)))


def test_numbers_lists_of_one_size_and_pairs_are_plain_and_nothing_else_is() -> None:
    y = [0, 1]
    lists = pa.array([[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float32(), 2))
    pair = {"indices": [[1, 2], [3]], "values": [[1.0, 2.0], [3.0]]}
    assert plain(stream({"a": [1, 2], "x": lists, "w": [1.0, 2.0], "y": y}))
    assert plain(stream({**pair, "y": y}))
    assert not plain(stream({"a": [1, None], "y": y}))
    assert not plain(stream({"a": ["b", "c"], "y": y}))
    assert not plain(stream({"a": [1, 2], **pair, "y": y}))
    assert not plain(stream({"a": np.zeros(500), "y": [0] * 500}, compression="zstd"))
    assert not plain(stream({"a": [1, 2]}))
    assert not plain(stream({"a": [1, 2], "y": y})[:-1])
    assert not plain(stream({"a": [1, 2], "y": y}) + b"more")


def test_indices_beyond_the_table_have_the_keys_of_their_names() -> None:
    names = FeatureNames()
    known = Indices(names)
    few, many = np.array([3, 0, 3, 1 << 20]), np.array([3, 1 << 50, 0])
    for indices in (few, many, few):
        expected = names.keys([str(i) for i in indices.tolist()])
        np.testing.assert_array_equal(known.keys(indices), expected)


def test_names_that_were_forgotten_are_told_again() -> None:
    made = ArrowSamples(Labels("binary", None), ArrowFields())
    payload = stream({"indices": [[1, 2]], "values": [[1.0, 2.0]], "y": [1]})
    first, _ = made.decode([payload], np.array([0]))
    made._names.by_key = {}
    made._names._keys.clear()
    second, _ = made.decode([payload], np.array([0]))
    assert content(first) == content(second)
