"""The waiting room of one partition: samples that came and are not in the model yet.

Samples leave in offset order, in contributions. What a contribution holds is taken and kept; it
is let go once the model has it, or for another pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from flink_ol.core.ledger import Account, account_of
from flink_ol.core.samples import Rejection, Samples, joined, offsets_of


class Batch(NamedTuple):
    """What one window brought."""

    number: int  # of those that wait, growing
    samples: Samples
    rejections: Sequence[Rejection]
    newest_ms: int  # largest Kafka timestamp of the window


class Taken(NamedTuple):
    """The next samples in line."""

    samples: Samples
    rejections: tuple[Rejection, ...]  # of the batches that are complete with them
    following: int  # offset of the sample after them, -1 if there is none
    newest_ms: int
    through: int  # number of the last batch that is complete with them, 0 if none is

    def account(self, fine: np.ndarray) -> Account:
        """Of these samples, of which those that are not ``fine`` (samples,) bool are rejected."""
        offsets = self.samples.offsets
        refused = np.concatenate((offsets_of(self.rejections), offsets[~fine]))
        return account_of(offsets[fine], refused, self.following)


@dataclass(slots=True)
class Room:
    """Batches in offset order; ``position`` counts the samples of them that are let go.

    Of the batches up to ``told``, which stay for another pass, the rejections were taken and kept.
    """

    batches: list[Batch] = field(default_factory=list)
    position: int = 0
    last_number: int = 0
    held: int = 0  # samples in the batches, those let go included
    last_offset: int = -1
    told: int = 0

    @property
    def waiting(self) -> int:
        """Samples still to be let go."""
        return self.held - self.position

    @property
    def rejected(self) -> int:
        """Rejections still to be taken."""
        return sum(len(batch.rejections) for batch in self.batches if batch.number > self.told)

    @property
    def first_number(self) -> int:
        """Number of the first batch that is kept; of the next one to come where none is."""
        return self.batches[0].number if self.batches else self.last_number + 1

    @property
    def rejected_alone(self) -> bool:
        """Whether only rejections wait."""
        return self.waiting == 0 and self.rejected > 0

    def put(self, batch: Batch) -> None:
        self.batches.append(batch)
        self.last_number = batch.number
        self.held += len(batch.samples)
        for offsets in (batch.samples.offsets, [one.offset for one in batch.rejections]):
            if len(offsets):
                self.last_offset = max(self.last_offset, int(max(offsets[0], offsets[-1])))

    def take(self, count: int) -> Taken:
        """The next ``count`` samples at most, and the rejections of the batches they complete."""
        stop = min(self.position + count, self.held)
        parts: list[Samples] = []
        rejections: list[Rejection] = []
        newest_ms = begin = through = 0
        following = -1  # offset of the next sample in line
        for batch in self.batches:
            size = len(batch.samples)
            first, last = max(self.position - begin, 0), min(stop - begin, size)
            if first < last:
                parts.append(batch.samples.rows(first, last))
                newest_ms = max(newest_ms, batch.newest_ms)
            begin += size
            if begin <= stop:
                through = batch.number
                if batch.number > self.told:
                    rejections += batch.rejections
                newest_ms = max(newest_ms, batch.newest_ms)
                continue
            following = int(batch.samples.offsets[last]) if 0 <= last < size else following
            break
        samples = joined(parts) if parts else self.batches[0].samples.rows(0, 0)
        return Taken(samples, tuple(rejections), following, newest_ms, through)

    def let_go(self, count: int, through: int) -> None:
        """The next ``count`` samples are done with, as they were taken.

        ``through``: as taken; a batch without samples that came later keeps its rejections.
        """
        self.position += count
        while self.batches and self.batches[0].number <= through:
            if len(self.batches[0].samples) > self.position:
                break
            batch = self.batches.pop(0)
            self.position -= len(batch.samples)
            self.held -= len(batch.samples)
