"""Damaged and malicious Arrow messages are refused; none ends the process or fills its memory."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from flink_ol.wire.arrow_writing import encode_rows
from tests.wire.test_arrow_samples import arrow, stream

# In a process of its own: what goes wrong here is a segmentation fault, not an exception.
_FUZZ = """
import resource, sys
import numpy as np
import pyarrow as pa
from flink_ol.core.config import Learning
from flink_ol.wire.arrow_samples import ArrowFields
from flink_ol.wire.formats import sample_format
from tests.wire.test_arrow_samples import DENSE, stream

made = sample_format("arrow", ArrowFields(), Learning(task="binary"))
columns = {
    "a": pa.array([1.5, None, 2.0]), "b": [True, False, None], "s": ["red", None, "blue"],
    "d": pa.array(["u", "v", "u"]).dictionary_encode(), "x": pa.array(DENSE),
    "f": pa.array([[1, 2]] * 3, pa.list_(pa.int16(), 2)), "indices": [[1, 2], [3], []],
    "values": [[1.0, 2.0], [3.0], []], "y": [0, 1, 1], "w": [1.0, 2.0, None],
    "image": pa.array([b"abcd", None, b"efgh"], pa.binary(4)), "raw": [b"abcd", b"ef", None],
}
said = {"image": {"dtype": "int16", "shape": "[2]"}, "raw": {"dtype": "uint8", "shape": "[2, 2]"}}
fixed = {"image": pa.array([b"abcd", b"abcd", b"efgh"], pa.binary(4)), "y": [0, 1, 1]}
plain = {"a": [1.5, 2.0, 3.0], "f": columns["f"], "y": [0, 1, 1], "w": [1.0, 2.0, 1.0]}
sparse = {name: columns[name] for name in ("indices", "values", "y")}
whole = [stream(columns, said), stream(columns, said, compression="zstd")]
whole += [stream(columns, said, compression="lz4"), stream(plain), stream(sparse)]
whole += [stream(fixed, said)]
made.decode(whole, np.arange(6))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rng = np.random.default_rng(int(sys.argv[1]))
refused = 0
for trial in range(4000):
    data = bytearray(whole[trial % 6])
    for _ in range(int(rng.integers(1, 4))):
        at, kind = int(rng.integers(len(data))), int(rng.integers(4))
        if kind == 0:
            data[at] = int(rng.integers(256))
        elif kind == 1:
            data[at] ^= 1 << int(rng.integers(8))
        elif kind == 2:
            at -= at % 4
            number = int(rng.choice([-1, 2**31 - 1, -2**31, 1]))
            data[at:at + 4] = number.to_bytes(4, "little", signed=True)
        elif trial % 7 == 0:
            del data[at:]
            data = data or bytearray(b"x")
    samples, rejections = made.decode([bytes(data)], np.array([7]))
    assert {*samples.offsets.tolist(), *(r.offset for r in rejections)} == {7}
    assert np.isfinite(samples.values).all() and np.isfinite(samples.labels).all()
    assert samples.indptr[-1] == len(samples.keys) == len(samples.values)
    refused += bool(rejections)
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
assert grown < 300_000, f"{grown} kB"
print(refused, grown)
"""


@pytest.mark.parametrize("seed", [1, 2])
def test_no_damage_ends_the_process_or_fills_its_memory(seed: int) -> None:
    answer = subprocess.run(
        [sys.executable, "-c", _FUZZ, str(seed)], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr[-2000:]
    refused, _ = map(int, answer.stdout.split())
    assert refused > 500


WHOLE = encode_rows([{"a": 1.0, "s": "x", "y": 1}, {"a": 2.0, "s": "y", "y": 0}])


def test_a_message_cut_off_anywhere_is_one_rejection() -> None:
    cuts = [WHOLE[:end] for end in range(len(WHOLE))]
    samples, rejections = arrow().decode(cuts, np.arange(len(cuts)))
    assert len(samples) == 0
    assert [(r.offset, r.row) for r in rejections] == [(i, None) for i in range(len(cuts))]


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (None, "empty"),
        (b"", "empty"),
        (b'{"x": {"a": 1}, "y": 1}', "not an Arrow IPC stream"),
        (WHOLE + WHOLE, "bytes follow"),
        (encode_rows([]), "no rows"),
        (encode_rows([{"a": 1.0}]), "'y' is missing"),
        (encode_rows([{"a": [["x"]], "y": 1}]), "column 'a' is of type"),
        (stream({"a": np.zeros((1 << 16) + 1), "y": np.zeros((1 << 16) + 1)}), "rows"),
        (stream({"a": np.zeros(1 << 22), "y": [0] * (1 << 22)}, compression="zstd"), "at most"),
    ],
)
def test_what_cannot_be_read_is_told(payload: bytes | None, why: str) -> None:
    samples, ((offset, reason, row),) = arrow().decode([payload, WHOLE], np.array([3, 4]))
    assert (offset, row, samples.offsets.tolist()) == (3, None, [4, 4])
    assert why in reason
    assert len(reason) <= 400
