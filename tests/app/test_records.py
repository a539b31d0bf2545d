"""Reading records: files, gzip files and standard input give the same lines."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flink_ol.app.errors import UsageError
from flink_ol.app.records import Records
from flink_ol.wire.arrow_samples import ArrowFields
from flink_ol.wire.csv_samples import CsvFields

_LINES = [b'{"x":1}', "ü".encode(), b"last"]


def _read(source: Path) -> list[bytes]:
    with Records(str(source)) as records:
        return list(records)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\n\n \n"])
def test_line_ends_and_blank_lines_are_no_records(tmp_path: Path, end: bytes) -> None:
    (tmp_path / "f").write_bytes(end.join(_LINES))
    assert _read(tmp_path / "f") == _LINES


def test_a_gzip_file_is_known_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "f.ndjson").write_bytes(gzip.compress(b"\n".join(_LINES)))
    (tmp_path / "plain.gz").write_bytes(b"\n".join(_LINES))
    assert _read(tmp_path / "f.ndjson") == _read(tmp_path / "plain.gz") == _LINES


def test_joined_gzip_members_are_read_to_the_end(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(gzip.compress(b"a\nb\n") + gzip.compress(b"c\n"))
    assert _read(tmp_path / "f") == [b"a", b"b", b"c"]


@given(lines=st.lists(st.binary(min_size=1, max_size=9).map(bytes.hex), max_size=30))
def test_blocks_hold_every_line_in_order(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    path = tmp_path_factory.mktemp("records") / "f"
    path.write_text("\n".join(lines))
    with Records(str(path)) as records:
        blocks = list(records.blocks(4))
    assert [line.decode() for block in blocks for line in block] == lines
    assert all(len(block) == 4 for block in blocks[:-1])
    assert all(0 < len(block) <= 4 for block in blocks)


def test_blocks_end_at_the_same_lines_however_the_input_is_packed(tmp_path: Path) -> None:
    text = b"".join(b"%d\n" % number for number in range(100_000))
    (tmp_path / "plain").write_bytes(text)
    (tmp_path / "packed").write_bytes(gzip.compress(text))
    with Records(str(tmp_path / "plain")) as plain, Records(str(tmp_path / "packed")) as packed:
        assert list(plain.blocks(4096)) == list(packed.blocks(4096))


def test_lines_longer_than_a_read_are_whole(tmp_path: Path) -> None:
    long = [b"a" * 3_000_000, b"b" * 1_500_000]
    (tmp_path / "f").write_bytes(b"\n".join(long))
    assert _read(tmp_path / "f") == long


def test_standard_input_is_read_as_it_comes() -> None:
    code = (
        "from flink_ol.app.records import Records\n"
        "for block in Records('-').blocks(100, as_they_come=True): print(block, flush=True)"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        for line in (b"first\n", b"second\n"):
            child.stdin.write(line)
            child.stdin.flush()
            said = child.stdout.readline().strip()  # before the input has ended
            assert said.decode() == repr([line.strip()])
        child.stdin.close()
        assert child.wait(10) == 0


def test_position_reaches_the_total(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(gzip.compress(b"line\n" * 100_000))
    with Records(str(tmp_path / "f")) as records:
        assert records.total == (tmp_path / "f").stat().st_size
        assert len(list(records)) == 100_000
        assert records.position == records.total


def test_what_cannot_be_read_is_a_wrong_call(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="absent does not exist"):
        Records(str(tmp_path / "absent"))
    with pytest.raises(UsageError, match="is a folder"):
        Records(str(tmp_path))
    whole = gzip.compress(b"line\n" * 1000)
    (tmp_path / "cut").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UsageError, match="damaged or cut off"):
        _read(tmp_path / "cut")
    (tmp_path / "bad").write_bytes(whole[:12] + b"\xff" * 20 + whole[32:])
    with pytest.raises(UsageError, match="damaged or cut off"):
        _read(tmp_path / "bad")


def test_the_header_of_csv_is_left_out_and_blank_values_at_the_ends_are_kept(
    tmp_path: Path,
) -> None:
    fields = CsvFields(columns=("a", "b", "y"), delimiter="\t")
    path = tmp_path / "rows"
    path.write_bytes(b"\xef\xbb\xbfa\tb\ty\r\n\t2\t1\r\n\n1\t\t\n")
    with Records(str(path), fields) as records:
        assert list(records) == [b"\t2\t1", b"1\t\t"]
    path.write_bytes(b"1\t2\t1\n1\t2\t0")
    with Records(str(path), fields) as records:
        assert list(records) == [b"1\t2\t1", b"1\t2\t0"]
    path.write_bytes(b"a\tb\n1\t2\n")
    with Records(str(path), fields) as records:
        assert list(records) == [b"1\t2"]


def test_a_header_of_csv_in_another_order_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_bytes(b"b,a,y\n1,2,1\n")
    with (
        Records(str(path), CsvFields(columns=("a", "b", "y"))) as records,
        pytest.raises(UsageError, match="b,a,y"),
    ):
        list(records)


BATCH = pa.RecordBatch.from_pydict({"a": [1.0, 2.0, 3.0], "y": [0, 1, 1]})


def _stream(batches: list[pa.RecordBatch]) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batches[0].schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def _file(batches: list[pa.RecordBatch]) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, batches[0].schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    data: bytes = sink.getvalue().to_pybytes()
    return data


@pytest.mark.parametrize(
    "data",
    [
        _stream([BATCH, BATCH]),
        _stream([BATCH]) + _stream([BATCH]),
        _file([BATCH, BATCH]),
        gzip.compress(_file([BATCH, BATCH])),
        gzip.compress(_stream([BATCH]) + _stream([BATCH])),
    ],
)
def test_each_batch_of_arrow_is_a_message(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "samples.arrow"
    path.write_bytes(data)
    with Records(str(path), ArrowFields()) as records:
        found = list(records)
    assert [pa.ipc.open_stream(one).read_all().to_batches() for one in found] == [[BATCH]] * 2
    with Records(str(path), ArrowFields(), requests=True) as requests:
        rows = [pa.ipc.open_stream(one).read_all().to_pylist() for one in requests]
    assert rows == [[row] for row in BATCH.to_pylist() * 2]


def test_a_batch_of_arrow_too_large_for_a_message_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "samples.arrow"
    path.write_bytes(_stream([pa.RecordBatch.from_pydict({"a": np.arange(300_000.0)})]))
    with Records(str(path), ArrowFields()) as records:
        found = list(records)
    assert max(map(len, found)) < 1_000_000
    tables = [pa.ipc.open_stream(one).read_all() for one in found]
    assert pa.concat_tables(tables)["a"].to_pylist() == list(range(300_000))


@pytest.mark.parametrize("data", [b'{"x": {}}\n', _stream([BATCH])[:-60], gzip.compress(b"a")[:-3]])
def test_what_is_no_arrow_is_a_wrong_call(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "samples.arrow"
    path.write_bytes(data)
    with Records(str(path), ArrowFields()) as records, pytest.raises(UsageError, match="damaged"):
        list(records)
