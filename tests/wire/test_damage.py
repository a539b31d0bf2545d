"""Fields of the wrong kind are refused in words, wherever they stand."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import orjson
import pytest
import safetensors.numpy

from flink_ol.core.messages import Snapshot
from flink_ol.wire.entries import decode_entry
from flink_ol.wire.errors import WireError
from flink_ol.wire.frames import decode_frame, peek_frame
from flink_ol.wire.model_file import decode_snapshot, encode_snapshot
from flink_ol.wire.parts import Assembler, split
from flink_ol.wire.updates import decode_hello, decode_update
from tests.wire.messages import same
from tests.wire.test_golden import FOLDER, SNAPSHOT

WRONG: list[Any] = [None, True, -1, 1.5, "x", "", [], {}, [1], [1, 2, 3], {"a": 1}, [None, None]]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value."""
    yield path
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, item in items:
        yield from places(item, (*path, key))


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    twin = value.copy()
    twin[path[0]] = replaced(value[path[0]], path[1:], new)
    return twin


def damaged(fields: Any) -> Iterator[bytes]:
    """The JSON of ``fields``, each place in turn of another kind."""
    for path in places(fields):
        for wrong in WRONG:
            yield orjson.dumps(replaced(fields, path, wrong))


def refused_or_read(decode: Callable[[bytes], Any], data: bytes) -> None:
    with contextlib.suppress(WireError):
        decode(data)


@pytest.mark.parametrize(
    ("name", "decode"),
    [
        ("update-1", decode_update),
        ("frame-1", decode_frame),
        ("frame-1", peek_frame),
        ("model-1", decode_snapshot),
    ],
)
def test_damaged_fields_of_tensors_raise_nothing_else(
    name: str, decode: Callable[[bytes], Any]
) -> None:
    data = (FOLDER / f"{name}.safetensors").read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = orjson.loads(data[8 : 8 + length])
    arrays = safetensors.numpy.load(data)
    for fields in damaged(orjson.loads(header["__metadata__"]["flink_ol"])):
        metadata = {"flink_ol": fields.decode()}
        refused_or_read(decode, safetensors.numpy.save(arrays, metadata))
    for changed in damaged(header):
        body = len(changed).to_bytes(8, "little") + changed + data[8 + length :]
        refused_or_read(decode, body)


def test_damaged_fields_of_an_entry_raise_nothing_else() -> None:
    data = (FOLDER / "entry-1.bin").read_bytes()
    end = 4 + int.from_bytes(data[:4], "little")
    for header in damaged(orjson.loads(data[4:end])):
        refused_or_read(decode_entry, len(header).to_bytes(4, "little") + header + data[end:])


def test_damaged_hellos_raise_nothing_else() -> None:
    for data in damaged(orjson.loads((FOLDER / "hello-1.json").read_bytes())):
        refused_or_read(decode_hello, data)


def test_an_entry_cut_anywhere_is_refused() -> None:
    data = (FOLDER / "entry-1.bin").read_bytes()
    for length in range(len(data)):
        with pytest.raises(WireError):
            decode_entry(data[:length])


def test_keys_of_another_type_are_refused() -> None:
    arrays = {"keys": np.zeros(2), "model/weights": np.zeros((2, 1))}
    data = (FOLDER / "frame-1.safetensors").read_bytes()
    length = int.from_bytes(data[:8], "little")
    fields = orjson.loads(data[8 : 8 + length])["__metadata__"]
    with pytest.raises(WireError, match="float64"):
        decode_frame(safetensors.numpy.save(arrays, fields))


def test_a_part_out_of_its_count_is_refused() -> None:
    (part,) = split(b"x")
    with pytest.raises(WireError, match="number 9 of 1"):
        Assembler().add(part[:5] + (9).to_bytes(4, "little") + part[9:])


def test_more_names_than_a_header_takes_come_back() -> None:
    names = {key: f"größe {key}" for key in range(-6000, 6000)} | {7000: ""}
    large: Snapshot = SNAPSHOT._replace(names=names)
    assert same(decode_snapshot(encode_snapshot(large, {})), large)
