"""Seeded streams, block by block, before anyone writes them down as bytes.

A stream is the same whatever the format: its blocks are drawn one after the other by one
generator, and a block has a fixed size, so the first samples do not depend on how many are asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import orjson

from jobs.flights import read

BLOCK = 50_000  # samples
DENSE_FEATURES = tuple("abcdefgh")
A9A_GROUPS = (5, 8, 5, 16, 5, 7, 14, 6, 5, 2, 3, 3, 3, 41)  # 14 fields, 123 values, as in a9a
HASHED_FIELDS, HASHED_BITS = 40, 20
IMAGE_SHAPE, IMAGE_CLASSES = (32, 32, 3), 100
IMAGE_BLOCK = 1_000


class Block(NamedTuple):
    """Samples in a row. One of ``x`` and ``rows`` is given."""

    names: tuple[str, ...]  # of the columns of x, () where x is a plain list of numbers
    x: np.ndarray | None  # (samples, features); columns of present features where sparse
    sparse: bool  # x holds the numbers of features that are 1, not values
    y: np.ndarray  # (samples,) int, 0 or 1, or the class
    rows: list[dict[str, Any]] = []  # noqa: RUF012 - features of mixed kinds, by name

    def first(self, count: int) -> Block:
        """The first ``count`` samples, or all if there are fewer."""
        x = None if self.x is None else self.x[:count]
        return Block(self.names, x, self.sparse, self.y[:count], self.rows[:count])


def dense(seed: int = 1) -> Iterator[Block]:
    """8 normal numbers of four digits, a linear rule whose direction turns, noise of its size."""
    rng = np.random.default_rng(seed)
    start = 0
    while True:
        size = 100_000
        x = rng.normal(size=(size, 8)).round(4)
        angle = (start + np.arange(size)) / 1_000_000
        rule = np.stack([np.cos(angle + j) for j in range(8)], axis=1)
        y = ((x * rule).sum(axis=1) + rng.normal(size=size) > 0).astype(np.int64)
        yield Block(DENSE_FEATURES, x, False, y)
        start += size


def a9a_like(seed: int = 2) -> Iterator[Block]:
    """14 present of 123 features, one of each field; a quarter of the labels are 1."""
    rng = np.random.default_rng(seed)
    weights = rng.normal(scale=0.8, size=sum(A9A_GROUPS))
    first = np.concatenate(([0], np.cumsum(A9A_GROUPS)[:-1]))
    while True:
        # the square of a uniform number: the first values of a field are the frequent ones
        drawn = rng.random((BLOCK, len(A9A_GROUPS))) ** 2 * np.array(A9A_GROUPS)
        columns = first + drawn.astype(np.int64)
        logits = weights[columns].sum(axis=1) - 1.5
        y = (rng.random(BLOCK) < 1 / (1 + np.exp(-logits))).astype(np.int64)
        yield Block((), columns, True, y)


def hashed(seed: int = 3) -> Iterator[Block]:
    """40 present of 2^20 features, one of each of 40 fields, whose values are Zipf's."""
    rng = np.random.default_rng(seed)
    values = (1 << HASHED_BITS) // HASHED_FIELDS
    weights = rng.normal(scale=0.3, size=1 << HASHED_BITS)
    while True:
        # rank r with a probability like 1 / r
        ranks = np.exp(rng.random((BLOCK, HASHED_FIELDS)) * np.log(values)).astype(np.int64) - 1
        columns = ranks * HASHED_FIELDS + np.arange(HASHED_FIELDS)
        logits = weights[columns].sum(axis=1) - 1.0
        y = (rng.random(BLOCK) < 1 / (1 + np.exp(-logits))).astype(np.int64)
        yield Block((), columns, True, y)


def images(seed: int = 4, contrast: float = 1.0) -> Iterator[Block]:
    """Bytes of 32 x 32 x 3: a picture of the class in 100, under as much noise.

    With less ``contrast`` the pictures are fainter, and the noise is what it was: whoever knew the
    pictures would tell 99.5 % of the images apart at 0.125, and more at more.
    """
    rng = np.random.default_rng(seed)
    drawn = rng.integers(64, 192, (IMAGE_CLASSES, int(np.prod(IMAGE_SHAPE))))
    pictures = 128 + contrast * (drawn - 128)
    while True:
        y = rng.integers(0, IMAGE_CLASSES, IMAGE_BLOCK)
        noise = rng.normal(scale=48, size=(IMAGE_BLOCK, pictures.shape[1]))
        x = (pictures[y] + noise).clip(0, 255).astype(np.uint8)
        yield Block((), x, False, y)


def flights() -> Iterator[Block]:
    """The year of jobs/flights.py, without ids and times: numbers and categories."""
    records = [orjson.loads(line) for line in read().samples]
    for start in range(0, len(records), BLOCK):
        part = records[start : start + BLOCK]
        y = np.array([record["y"] for record in part], np.int64)
        yield Block((), None, False, y, [record["x"] for record in part])
