"""Reading records from a file, a gzip file or standard input: lines, or batches of Arrow."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import os
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

from flink_ol.app.errors import UsageError
from flink_ol.core.fields import Section
from flink_ol.wire.arrow_samples import ArrowFields
from flink_ol.wire.arrow_stream import MOST_ROWS
from flink_ol.wire.csv_samples import CsvFields

STANDARD_INPUT = "-"
_GZIP_MAGIC = b"\x1f\x8b"
_BLOCK_BYTES = 1 << 20
_ARROW_BYTES = 4 << 20  # of records in a list


class Records:
    """The records of one input, with how far reading has come: its lines, or messages of Arrow.

    ``total`` and ``position`` are bytes of the file as it lies on the disk (compressed, if it is);
    ``total`` is None where it cannot be known. A gzip file is known by its first bytes, not by its
    name. Blank lines are left out, line ends are cut off; and of CSV the header, if there is one.
    """

    def __init__(self, source: str, fields: Section | None = None, requests: bool = False) -> None:
        """``fields``: the settings of the format, where it matters for what a record is.

        ``requests``: one row a record.
        """
        self.source = source
        self._arrow = isinstance(fields, ArrowFields)
        self._rows = 1 if requests else MOST_ROWS
        self._csv = fields if isinstance(fields, CsvFields) else None
        self.name = "standard input" if source == STANDARD_INPUT else source
        self._raw = _open(source)
        self._buffered = io.BufferedReader(self._raw, _BLOCK_BYTES)
        self.total = _size(self._raw)

    @property
    def position(self) -> int:
        """Bytes read so far, read-ahead included."""
        return self._raw.tell() if self.total is not None else 0

    def __iter__(self) -> Iterator[bytes]:
        for block in self.blocks(1):
            yield from block

    def blocks(self, size: int, as_they_come: bool = False) -> Iterator[list[bytes]]:
        """The records in lists of ``size``, in order; the last may be shorter.

        ``as_they_come``: shorter ones too, wherever the input pauses, so that lines typed or piped
        in slowly do not wait for others. Of Arrow lists are shorter where records are large.
        """
        # blanks at the ends of a line are values where they are what stands between values
        ends = b" \t\r\n" if self._csv is None else b"\r\n"
        began = self._csv is None
        try:
            stream = self._decompressed()
            if self._arrow:
                yield from self._messages(stream, 1 if as_they_come else size)
                return
            for block in _blocks(stream, size, as_they_come, ends):
                whole = block if began or not self._is_header(block[0]) else block[1:]
                began = True
                if whole:
                    yield whole
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise UsageError(
                f"{self.name}: the gzip data are damaged or cut off ({error}); check with `gzip -t`"
            ) from error

    def _messages(self, stream: io.BufferedIOBase, size: int) -> Iterator[list[bytes]]:
        from flink_ol.app.arrow_file import arrow_messages  # takes its time to import

        block: list[bytes] = []
        taken = 0
        try:
            for message in arrow_messages(stream, self._rows):
                block.append(message)
                taken += len(message)
                if len(block) >= size or taken >= _ARROW_BYTES:
                    yield block
                    block, taken = [], 0
        except ValueError as error:
            raise UsageError(
                f"{self.name}: {error}; samples.format is arrow: give Arrow IPC streams or a file"
            ) from error
        if block:
            yield block

    def _is_header(self, line: bytes) -> bool:
        """Whether the first line of CSV names the columns; UsageError if in another order."""
        fields = self._csv
        assert fields is not None
        try:
            (words,) = csv.reader([line.decode("utf-8-sig")], delimiter=fields.delimiter)
        except (ValueError, csv.Error):
            return False  # whatever it is, the decoder says what is wrong with it
        request = [name for name in fields.columns if name != fields.label]
        if words in (list(fields.columns), request):
            return True
        if len(words) > 1 and sorted(words) in (sorted(fields.columns), sorted(request)):
            raise UsageError(
                f"{self.name}: its header has the columns {fields.delimiter.join(words)}; "
                "write samples.fields.columns in this order"
            )
        return False

    def _decompressed(self) -> io.BufferedIOBase:
        if self._buffered.peek(2)[:2] == _GZIP_MAGIC:
            return gzip.GzipFile(fileobj=self._buffered)
        return self._buffered

    def close(self) -> None:
        """Let go of the file; standard input itself stays open."""
        self._buffered.close()

    def __enter__(self) -> Records:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _open(source: str) -> io.FileIO:
    if source == STANDARD_INPUT:
        return io.FileIO(sys.stdin.fileno(), closefd=False)
    path = Path(source)
    if path.is_dir():
        raise UsageError(f"{source} is a folder: give a file of records, or -")
    try:
        return io.FileIO(path)
    except FileNotFoundError:
        raise UsageError(
            f"{source} does not exist: give a file of records, or - for standard input"
        ) from None
    except OSError as error:
        raise UsageError(f"{source} cannot be read: {error.strerror}") from error


def _size(raw: io.FileIO) -> int | None:
    with contextlib.suppress(OSError):
        if raw.seekable():
            return os.fstat(raw.fileno()).st_size
    return None


def _blocks(
    stream: io.BufferedIOBase, size: int, as_they_come: bool, ends: bytes
) -> Iterator[list[bytes]]:
    lines: list[bytes] = []
    rest = b""
    while chunk := stream.read1(_BLOCK_BYTES):
        parts = (rest + chunk).split(b"\n")
        rest = parts.pop()
        lines += [line for part in parts if (line := part.strip(ends))]
        whole = len(lines) if as_they_come else len(lines) - len(lines) % size
        for start in range(0, whole, size):
            yield lines[start : min(start + size, whole)]
        del lines[:whole]
    if last := rest.strip(ends):
        lines.append(last)
    for start in range(0, len(lines), size):
        yield lines[start : start + size]
