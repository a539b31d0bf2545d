"""Blocks of samples as the records of a topic: JSON, Vowpal Wabbit's text, Arrow.

The same sample in both: a feature without a name is called by its number; a category ``f`` with
value ``v`` is ``{"f": "v"}`` in JSON and ``f=v`` in VW's text, as the wire formats have it.
"""

from __future__ import annotations

import numpy as np
import orjson
import pyarrow as pa

from benchmarks.streams import Block
from flink_ol.wire.arrow_samples import ArrowFields
from flink_ol.wire.arrow_writing import encode_batch, encode_matrix, encode_rows

ARROW_ROWS, ARROW_IMAGES = 1000, 20  # samples in a message: 10 to 200 kB


def json_records(block: Block) -> list[bytes]:
    """``{"x": ..., "y": label}`` each."""
    labels = block.y.tolist()
    if block.x is None:
        return [orjson.dumps({"x": row, "y": y}) for row, y in zip(block.rows, labels, strict=True)]
    rows = block.x.tolist()
    if block.sparse:
        made = (
            '{"x":{' + ",".join([f'"{column}":1' for column in row]) + f'}},"y":{y}}}'
            for row, y in zip(rows, labels, strict=True)
        )
    elif block.names:
        pattern = ",".join(f'"{name}":%s' for name in block.names)
        made = (
            '{"x":{' + pattern % tuple(row) + f'}},"y":{y}}}'
            for row, y in zip(rows, labels, strict=True)
        )
    else:
        made = (
            f'{{"x":[{",".join(map(str, row))}],"y":{y}}}'
            for row, y in zip(rows, labels, strict=True)
        )
    return [text.encode() for text in made]


def vw_records(block: Block) -> list[bytes]:
    """``1 | a:0.5 ...`` each, -1 for the negative class; classes count from 0."""
    labels = np.where(block.y == 1, 1, -1).tolist()
    if block.x is None:
        made = (
            f"{y} | "
            + " ".join(
                f"{name}={value}" if isinstance(value, str) else f"{name}:{value}"
                for name, value in row.items()
            )
            for row, y in zip(block.rows, labels, strict=True)
        )
    elif block.sparse:
        rows = block.x.tolist()
        made = (f"{y} | " + " ".join(map(str, row)) for row, y in zip(rows, labels, strict=True))
    else:
        pattern = " ".join(f"{name}:%s" for name in block.names)
        made = (
            f"{y} | " + pattern % tuple(row)
            for row, y in zip(block.x.tolist(), labels, strict=True)
        )
    return [text.encode() for text in made]


def arrow_records(block: Block, rows: int | None = None) -> list[bytes]:
    """Messages of ``rows`` samples: single precision, bytes for images, lists where sparse.

    None: 1,000, or 20 images.
    """
    image = block.x is not None and not block.sparse and not block.names
    rows = rows or (ARROW_IMAGES if image else ARROW_ROWS)
    starts = range(0, len(block.y), rows)
    return [_arrow_message(block, slice(start, start + rows)) for start in starts]


def _arrow_message(block: Block, chosen: slice) -> bytes:
    labels = block.y[chosen].astype(np.int8)
    if block.x is None:
        pairs = zip(block.rows[chosen], labels.tolist(), strict=True)
        return encode_rows([{**row, "y": label} for row, label in pairs])
    x = block.x[chosen]
    if not block.sparse:
        values = x.astype(np.float32) if block.names else x
        return encode_matrix(values, labels, None, ArrowFields(), block.names or None)
    bounds = np.arange(len(x) + 1, dtype=np.int32) * x.shape[1]
    indices = pa.ListArray.from_arrays(bounds, pa.array(x.ravel().astype(np.int32)))
    ones = pa.ListArray.from_arrays(bounds, pa.array(np.ones(x.size, np.float32)))
    columns = {"y": pa.array(labels), "indices": indices, "values": ones}
    return encode_batch(pa.RecordBatch.from_arrays(list(columns.values()), list(columns)))
