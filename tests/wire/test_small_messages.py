"""Parts, dead letters, commands, answers and operator state."""

from __future__ import annotations

import math

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flink_ol.core.labels import Labels
from flink_ol.core.messages import Request, Version
from flink_ol.core.model import Answer
from flink_ol.core.sequencer import SequencerState
from flink_ol.core.trainer import Progress, Sent
from flink_ol.wire.control import decode_command, encode_command
from flink_ol.wire.dead_letters import MOST_PAYLOAD_BYTES, decode_dead_letter, encode_dead_letter
from flink_ol.wire.errors import WireError
from flink_ol.wire.operator_state import (
    decode_progress,
    decode_sequencer_state,
    encode_progress,
    encode_sequencer_state,
)
from flink_ol.wire.parts import Assembler, split
from flink_ol.wire.predictions import decode_answer, encode_answer


@given(st.binary(max_size=100), st.integers(1, 30))
def test_parts_make_the_whole_again(message: bytes, size: int) -> None:
    assembler = Assembler()
    assembled = [assembler.add(part) for part in split(message, size)]
    assert assembled == [None] * (len(assembled) - 1) + [message]


@given(st.integers(0, 3), st.binary(min_size=31, max_size=40))
def test_a_set_with_a_part_missing_is_ignored(missing: int, message: bytes) -> None:
    assembler = Assembler()
    parts = list(split(message, 10))
    del parts[missing]
    assert [assembler.add(part) for part in parts] == [None] * 3
    assert [assembler.add(part) for part in split(b"next", 10)] == [b"next"]


def test_a_damaged_part_is_not_taken_for_the_whole() -> None:
    (part,) = split(b"message")
    with pytest.raises(WireError, match="not the one"):
        Assembler().add(part[:-1] + b"!")
    with pytest.raises(WireError, match="cut off"):
        Assembler().add(b"FOLP")


@given(st.none() | st.binary(max_size=300))
def test_a_dead_letter_keeps_the_payload_to_the_byte(payload: bytes | None) -> None:
    letter = decode_dead_letter(encode_dead_letter("a.samples", 3, 17, "because", payload))
    assert (letter.topic, letter.partition, letter.offset) == ("a.samples", 3, 17)
    assert (letter.reason, letter.payload) == ("because", payload)
    assert letter.length == len(payload or b"")


def test_a_large_payload_is_cut_and_measured() -> None:
    payload = "é".encode() * MOST_PAYLOAD_BYTES
    letter = decode_dead_letter(encode_dead_letter("a.samples", 0, 0, "", payload))
    assert letter.payload == payload[:MOST_PAYLOAD_BYTES]
    assert letter.length == len(payload)


def test_commands_are_checked() -> None:
    assert decode_command(encode_command("snapshot", 5)) == {"command": "snapshot", "id": 5}
    values = {"optimizer.learning_rate": 0.005, "model.clip_norm": None}
    told = {"command": "set", "id": "a", "values": values}
    assert decode_command(encode_command("set", "a", values)) == told
    for wrong in (
        *(b"", b"[]", b"no", b'{"command": "stop"}', b'{"command": "snapshot", "x": 1}'),
        *(b'{"command": "set"}', b'{"command": "set", "values": [1]}'),
        b'{"command": "snapshot", "values": {}}',
    ):
        with pytest.raises(WireError, match="control"):
            decode_command(wrong)


def test_an_answer_says_label_probabilities_and_version() -> None:
    request = Request("q1", None, None, 2, 40)
    labels = Labels("binary", ("no", "yes"))
    data = encode_answer(Answer(request, Version(5, 6), np.array([0.3, 0.7])), labels)
    assert decode_answer(data) == {
        "id": "q1",
        "prediction": "yes",
        "probabilities": {"no": 0.3, "yes": 0.7},
        "model": {"epoch": 5, "version": 6},
        "partition": 2,
        "offset": 40,
    }


def test_an_answer_that_cannot_be_given_says_why() -> None:
    request = Request(None, None, "not JSON", 0, 1)
    data = encode_answer(Answer(request, Version(0, 0), None), Labels("regression", None))
    assert orjson.loads(data)["error"] == "not JSON"
    assert "prediction" not in orjson.loads(data)


@pytest.mark.parametrize("identity", ["q1", "q" * 1_000_000])
def test_an_oversized_answer_becomes_an_error(identity: str) -> None:
    request = Request(identity, None, None, 2, 40)
    scores = np.full(60_000, 1 / 60_000)
    data = encode_answer(Answer(request, Version(5, 6), scores), Labels("multiclass", 60_000))
    assert len(data) <= 1_000_000
    fields = decode_answer(data)
    assert fields["id"] == (identity if len(identity) < 10 else None)
    assert "at most 1000000 fit" in fields["error"]
    assert (fields["partition"], fields["offset"]) == (2, 40)


@given(st.integers(0, 2**62), st.floats(allow_nan=False, allow_infinity=False))
def test_progress_is_kept(sequence: int, label: float) -> None:
    progress = Progress(sequence, label)
    assert decode_progress(encode_progress(progress)) == progress
    waits = Progress(sequence, label, 5, 2, Sent(7, 256, True, 3), 70, 2)
    assert decode_progress(encode_progress(waits)) == waits
    assert math.isnan(decode_progress(encode_progress(Progress(sequence))).label)


def test_the_sequencer_remembers_all_but_its_life() -> None:
    state = SequencerState(
        Version(5, 6), True, {0: 9}, {0: 1.5}, {3: 4}, {"weights": 7}, {"metrics"}, 99, {"a": 0.5}
    )
    restored = decode_sequencer_state(encode_sequencer_state(state))
    assert restored == SequencerState(
        Version(5, 6), False, {}, {0: 1.5}, {3: 4}, {"weights": 7}, {"metrics"}, 0, {"a": 0.5}
    )


def test_a_sequencer_stored_before_settings_could_change_is_read() -> None:
    stored = (
        b'{"format":1,"version":[5,6],"parts":{"0":1.5},"sequences":{"3":4},'
        b'"published_ms":{"weights":7},"owed":["metrics"]}'
    )
    restored = decode_sequencer_state(stored)
    assert (restored.version, restored.overrides) == (Version(5, 6), {})
    assert encode_sequencer_state(restored) == stored


def test_state_of_another_format_is_refused_in_words() -> None:
    with pytest.raises(WireError, match=r"format 2.*restore it with the version that wrote it"):
        decode_progress(b'{"format": 2}')
