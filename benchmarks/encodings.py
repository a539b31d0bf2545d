"""Blocks of samples as the records of a topic: JSON and Vowpal Wabbit's text.

The same sample in both: a feature without a name is called by its number; a category ``f`` with
value ``v`` is ``{"f": "v"}`` in JSON and ``f=v`` in VW's text, as the wire formats have it.
"""

from __future__ import annotations

import numpy as np
import orjson

from benchmarks.streams import Block


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
