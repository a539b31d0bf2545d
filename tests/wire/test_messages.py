"""Every message between the operators, and the model file: what goes in comes out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st

from flink_ol.core.messages import Entry, Frame, Hello, Snapshot, Update, Version, Worker
from flink_ol.wire.entries import decode_entry, encode_entry
from flink_ol.wire.errors import WireError
from flink_ol.wire.frames import decode_frame, encode_frame, peek_frame
from flink_ol.wire.model_file import decode_snapshot, encode_snapshot, read_snapshot
from flink_ol.wire.tensors import decode_tensors, encode_tensors
from flink_ol.wire.updates import decode_hello, decode_update, encode_hello, encode_update
from tests.wire import messages
from tests.wire.messages import same


@given(messages.UPDATES)
def test_updates_come_back_as_they_went(update: Update) -> None:
    assert same(decode_update(encode_update(update)), update)


@given(messages.ENTRIES)
def test_entries_come_back_as_they_went(entry: Entry) -> None:
    updates = [encode_update(update) for update in entry.updates]
    encoded = encode_entry(entry, updates)
    assert encoded.endswith(b"".join(updates))
    assert same(decode_entry(encoded), entry)


@given(messages.FRAMES)
def test_frames_come_back_as_they_went(frame: Frame) -> None:
    encoded = encode_frame(frame)
    assert same(decode_frame(encoded), frame)
    assert peek_frame(encoded) == frame.heading


@given(messages.SNAPSHOTS)
def test_snapshots_come_back_as_they_went(snapshot: Snapshot) -> None:
    metrics = {"accuracy": 0.5, "log_loss": float("nan")}
    decoded, fields = read_snapshot(encode_snapshot(snapshot, metrics))
    assert same(decoded, snapshot)
    assert fields["metrics"] == {"accuracy": 0.5, "log_loss": None}


@given(messages.WORKERS)
def test_hellos_come_back_as_they_went(worker: Worker) -> None:
    assert decode_hello(encode_hello(Hello(worker))) == Hello(worker)


@given(messages.SNAPSHOTS)
def test_equal_snapshots_have_equal_bytes(snapshot: Snapshot) -> None:
    assert encode_snapshot(snapshot, {}) == encode_snapshot(snapshot, {})


def example() -> Snapshot:
    frame = Frame(
        Version(7, 3),
        (Worker(0, 11),),
        {0: 5},
        1.0,
        np.array([3, -4], np.int64),
        {"weights": np.array([[0.5], [-0.25]]), "steps": np.array([9], np.int64)},
    )
    return Snapshot("flights", "00", {}, Version(7, 1), 1000, frame, {3: "a", -4: "b"}, {}, {}, 900)


def test_a_model_file_opens_with_the_plain_library() -> None:
    arrays = safetensors.numpy.load(encode_snapshot(example(), {}))
    np.testing.assert_array_equal(arrays["model/weights"], [[0.5], [-0.25]])


DECODERS: dict[str, tuple[Callable[[], bytes], Callable[[bytes], Any]]] = {
    "model": (lambda: encode_snapshot(example(), {}), decode_snapshot),
    "frame": (lambda: encode_frame(example().frame), decode_frame),
    "hello": (lambda: encode_hello(Hello(Worker(1, 2))), decode_hello),
    "entry": (lambda: encode_entry(Entry(Version(1, 2), 3), []), decode_entry),
}


@pytest.mark.parametrize("kind", DECODERS)
@given(data=st.data())
def test_cut_off_bytes_are_refused_in_words(kind: str, data: st.DataObject) -> None:
    encode, decode = DECODERS[kind]
    encoded = encode()
    length = data.draw(st.integers(0, len(encoded) - 1))
    with pytest.raises(WireError, match=kind):
        decode(encoded[:length])


@given(st.integers(0, 10**6), st.integers(0, 7))
def test_a_flipped_bit_never_gives_another_model(position: int, bit: int) -> None:
    encoded = bytearray(encode_snapshot(example(), {}))
    encoded[position % len(encoded)] ^= 1 << bit
    try:
        decoded = decode_snapshot(bytes(encoded))
    except WireError:
        return
    assert same(decoded, example())


@given(st.binary(max_size=200))
def test_noise_is_refused_in_words(noise: bytes) -> None:
    for _, decode in DECODERS.values():
        with pytest.raises(WireError):
            decode(noise)


def test_a_newer_format_says_what_to_do() -> None:
    newer = encode_tensors("model", 3, {}, {})
    with pytest.raises(WireError, match=r"format 3.*knows 1.*upgrade flink_ol"):
        decode_snapshot(newer)


def test_another_kind_of_message_is_named() -> None:
    with pytest.raises(WireError, match="model: these bytes are a frame"):
        decode_snapshot(encode_frame(example().frame))


def test_a_header_that_claims_too_much_takes_no_memory() -> None:
    with pytest.raises(WireError, match="cut off"):
        decode_tensors("model", range(1, 2), (1 << 60).to_bytes(8, "little") + b"{}")
