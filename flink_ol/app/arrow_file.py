"""Messages of samples from files of Arrow: what a line is to the formats that are text.

A file is one or several Arrow IPC streams one behind the other (messages of a topic, written out
one after the other, are that), or one Arrow IPC file. Each record batch becomes a message.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

import pyarrow as pa

from flink_ol.wire.arrow_stream import MOST_ROWS
from flink_ol.wire.arrow_writing import encode_batch

_FILE_MAGIC = b"ARROW1\x00\x00"
_MESSAGE_BYTES = 900_000  # of columns: with what frames them, below Kafka's usual limit


def arrow_messages(stream: io.BufferedIOBase, most_rows: int = MOST_ROWS) -> Iterator[bytes]:
    """The messages in ``stream``, of at most ``most_rows`` rows; larger batches are cut.

    ValueError where it is no Arrow, or damaged.
    """
    buffered = stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(_raw(stream))
    single = buffered.peek(len(_FILE_MAGIC)).startswith(_FILE_MAGIC)
    if single:
        buffered.read(len(_FILE_MAGIC))  # a file is a stream between its magic and its index
    try:
        while buffered.peek(1):
            for batch in pa.ipc.open_stream(pa.PythonFile(buffered, "r")):
                yield from _cut(batch, most_rows)
            if single:
                while buffered.read(1 << 20):
                    pass
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"no Arrow, or damaged: {str(error)[:200]}") from None


def _raw(stream: io.BufferedIOBase) -> io.RawIOBase:
    return stream  # type: ignore[return-value]  # BufferedReader asks only for readinto


def _cut(batch: pa.RecordBatch, most_rows: int) -> Iterator[bytes]:
    rows: int = batch.num_rows
    fitting = rows * _MESSAGE_BYTES // max(batch.nbytes, 1)
    step = max(1, min(fitting, most_rows))
    for start in range(0, rows, step):
        yield encode_batch(batch.slice(start, step))
