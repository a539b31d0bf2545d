"""Bytes of the released formats: they are read, and written, for as long as the number stands.

A change that breaks one of these needs a new format number. ``python -m tests.wire.test_golden``
writes the files of formats that have none yet, and leaves the others alone.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from flink_ol.core.labels import Labels
from flink_ol.core.ledger import Account, Tally
from flink_ol.core.messages import Entry, Frame, Hello, Request, Snapshot, Update, Version, Worker
from flink_ol.core.model import Answer
from flink_ol.core.state import Delta
from flink_ol.wire.control import decode_command, encode_command
from flink_ol.wire.dead_letters import DeadLetterRecord, decode_dead_letter, encode_dead_letter
from flink_ol.wire.entries import decode_entry, encode_entry
from flink_ol.wire.frames import decode_frame, encode_frame
from flink_ol.wire.model_file import decode_snapshot, encode_snapshot
from flink_ol.wire.parts import Assembler, split
from flink_ol.wire.predictions import decode_answer, encode_answer
from flink_ol.wire.updates import decode_hello, decode_update, encode_hello, encode_update
from tests.wire.messages import same

FOLDER = Path(__file__).parent / "golden"

_WORKER = Worker(1, 2**62 + 1)
_ACCOUNT = Account(Tally(3, 10, 12, 33, 11), Tally(1, 13, 13, 13, 13))
_KEYS = np.array([3, -4], np.int64)
_WEIGHTS = np.array([[0.5], [-0.25]])
UPDATE = Update(
    2,
    5,
    _WORKER,
    Version(7, 3),
    _ACCOUNT,
    Delta(_KEYS, {"weights": _WEIGHTS}),
    {"loss": np.array([0.125, 3.0])},
    {-4: "größe"},
    1_700_000_000_000,
)
# rows of zeros are left out of rounded arrays
_ROUNDED = np.zeros((40, 2))
_ROUNDED[[3, 17]] = [[0.5, -0.25], [0.0, 127 / 128]]
_ENTRY = Entry(
    Version(7, 4),
    99,
    (UPDATE,),
    0.5,
    rate_scale=2.0,
    workers=(_WORKER,),
    publish=frozenset({"weights"}),
    command={"command": "snapshot"},
)
_FRAME = Frame(Version(7, 3), (_WORKER,), {2: 5}, 1.5, _KEYS, {"weights": _WEIGHTS})
_CHANGE = _FRAME._replace(version=Version(7, 4), parent=Version(7, 3))
_FRAME_3 = _CHANGE._replace(
    keys=np.arange(40),
    arrays={"weights": _ROUNDED, "squares": np.full((40, 1), 0.1)},
    codes={"weights": "int8"},
)
SNAPSHOT = Snapshot(
    "flights",
    "ab" * 32,
    {"task": "binary"},
    Version(7, 1),
    1_700_000_000_123,
    _FRAME,
    {3: "delay", -4: "größe"},
    {2: _ACCOUNT},
    {"loss": np.array([0.125, 3.0])},
    1_700_000_000_000,
    (Version(7, 1),),
)
# format 2 packs counts, one array with few that are not zero; sums of floats remain format 1
_COUNTS = np.zeros((2, 300), np.int64)
_COUNTS[1, 7] = 70_000
_SUMS = {"counts": np.array([[1, 2], [300, 0]]), "histogram": _COUNTS, "losses": np.array([0.5])}
_UPDATE_2 = UPDATE._replace(sums=_SUMS)
_SNAPSHOT_2 = SNAPSHOT._replace(
    sums=_SUMS, recent={"faded/losses": np.array([0.25]), "window/0/counts": _COUNTS}
)
# format 4 has rounded numbers
_UPDATE_4 = UPDATE._replace(
    delta=Delta(
        np.arange(40), {"weights": _ROUNDED, "halves": _ROUNDED / 4, "steps": np.array([3])}
    ),
    meaning="gradient",
    codes={"weights": "int8", "halves": "float16"},
)
_OVERRIDES = {"model.clip_norm": None, "optimizer.learning_rate": 0.005}
_TUNED_ENTRY = Entry(
    Version(7, 5),
    100,
    command={"command": "set", "id": "a", "values": {"optimizer.learning_rate": 0.005}},
    overrides=_OVERRIDES,
)
_TUNED_FRAME = _FRAME._replace(overrides=_OVERRIDES)
_ANSWER = Answer(Request("q1", None, None, 2, 40), Version(5, 6), np.array([0.25, 0.75]))
_ANSWERED = {
    "id": "q1",
    "prediction": "yes",
    "probabilities": {"no": 0.25, "yes": 0.75},
    "model": {"epoch": 5, "version": 6},
    "partition": 2,
    "offset": 40,
}
_LETTER = DeadLetterRecord("flights.samples", 3, 17, "not JSON", b"\xff{", 2, None)


class _Format(NamedTuple):
    written: Callable[[], bytes]
    read: Callable[[bytes], Any]
    content: Any


FORMATS = {
    "update-1.safetensors": _Format(lambda: encode_update(UPDATE), decode_update, UPDATE),
    "update-2.safetensors": _Format(lambda: encode_update(_UPDATE_2), decode_update, _UPDATE_2),
    "update-4.safetensors": _Format(lambda: encode_update(_UPDATE_4), decode_update, _UPDATE_4),
    "hello-1.json": _Format(lambda: encode_hello(Hello(_WORKER)), decode_hello, Hello(_WORKER)),
    "entry-1.bin": _Format(
        lambda: encode_entry(_ENTRY, [encode_update(UPDATE)]), decode_entry, _ENTRY
    ),
    "frame-1.safetensors": _Format(lambda: encode_frame(_FRAME), decode_frame, _FRAME),
    "entry-2-tuned.bin": _Format(
        lambda: encode_entry(_TUNED_ENTRY, []), decode_entry, _TUNED_ENTRY
    ),
    "frame-1-tuned.safetensors": _Format(
        lambda: encode_frame(_TUNED_FRAME), decode_frame, _TUNED_FRAME
    ),
    "frame-2.safetensors": _Format(lambda: encode_frame(_CHANGE), decode_frame, _CHANGE),
    "frame-3.safetensors": _Format(lambda: encode_frame(_FRAME_3), decode_frame, _FRAME_3),
    "model-1.safetensors": _Format(
        lambda: encode_snapshot(SNAPSHOT, {"accuracy": 0.5}), decode_snapshot, SNAPSHOT
    ),
    "model-2.safetensors": _Format(
        lambda: encode_snapshot(_SNAPSHOT_2, {"accuracy": 0.5}), decode_snapshot, _SNAPSHOT_2
    ),
    "part-1.bin": _Format(
        lambda: next(split(b"whole")), lambda data: Assembler().add(data), b"whole"
    ),
    "dead_letter.json": _Format(
        lambda: encode_dead_letter("flights.samples", 3, 17, "not JSON", b"\xff{"),
        lambda data: decode_dead_letter(data)._replace(sha256=None),
        _LETTER,
    ),
    "prediction.json": _Format(
        lambda: encode_answer(_ANSWER, Labels("binary", ("no", "yes"))), decode_answer, _ANSWERED
    ),
    "command.json": _Format(
        lambda: encode_command("snapshot", "a"),
        decode_command,
        {"command": "snapshot", "id": "a"},
    ),
    "command-set.json": _Format(
        lambda: encode_command("set", "a", {"optimizer.learning_rate": 0.005}),
        decode_command,
        {"command": "set", "id": "a", "values": {"optimizer.learning_rate": 0.005}},
    ),
}


@pytest.mark.parametrize("name", FORMATS)
def test_released_bytes_are_read(name: str) -> None:
    assert same(FORMATS[name].read((FOLDER / name).read_bytes()), FORMATS[name].content)


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_written_is_what_was_released(name: str) -> None:
    assert FORMATS[name].written() == (FOLDER / name).read_bytes()


if __name__ == "__main__":
    for name, golden in FORMATS.items():
        if not (FOLDER / name).exists():
            (FOLDER / name).write_bytes(golden.written())
