"""Decoded samples and the records that could not become one."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from flink_ol.core.unadmitted import Counts


class Samples(NamedTuple):
    """Samples of one partition in offset order, as compressed sparse rows.

    Row ``i`` owns the entries ``indptr[i]:indptr[i + 1]`` of keys, values and numeric. The samples
    of one record share its offset.
    """

    indptr: np.ndarray  # (samples + 1,) int64
    keys: np.ndarray  # (entries,) int64, feature keys, see core.features.hashing
    values: np.ndarray  # (entries,) float64, finite
    numeric: np.ndarray  # (entries,) bool; False for categoricals, which are never scaled
    labels: np.ndarray  # (samples,) float64, class index or target; NaN in requests
    importance: np.ndarray  # (samples,) float64, > 0
    offsets: np.ndarray  # (samples,) int64, Kafka offsets, never falling
    # feature key -> name, for at least the keys above; under hash_bits numbers go without, once the
    # model has heard of as many names as it keeps
    names: Mapping[int, str]
    counted: Counted | None = None  # where features have to wait for their weights

    def __len__(self) -> int:  # rows, not fields
        return len(self.labels)

    def rows(self, start: int, stop: int) -> Samples:
        """The samples ``start`` to ``stop - 1``, sharing memory."""
        first, last = int(self.indptr[start]), int(self.indptr[stop])
        return Samples(
            self.indptr[start : stop + 1] - first,
            self.keys[first:last],
            self.values[first:last],
            self.numeric[first:last],
            self.labels[start:stop],
            self.importance[start:stop],
            self.offsets[start:stop],
            self.names,
        )


def joined(parts: Sequence[Samples]) -> Samples:
    """The samples of all ``parts``, at least one, in their order."""
    if len(parts) == 1:
        return parts[0]
    ends = np.cumsum([0] + [int(part.indptr[-1]) for part in parts])
    starts = [part.indptr[:-1] + end for part, end in zip(parts, ends, strict=False)]
    # samples of one decoder share their names, which know more than a mapping
    apart = {id(part.names): part.names for part in parts}
    names = parts[0].names if len(apart) == 1 else dict(ChainMap(*map(dict, apart.values())))
    return Samples(
        np.concatenate([*starts, ends[-1:]]),
        np.concatenate([part.keys for part in parts]),
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.numeric for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.importance for part in parts]),
        np.concatenate([part.offsets for part in parts]),
        names,
    )


def by_offset(many: Samples, few: Samples) -> Samples:
    """The samples of both in the order of their records, which they do not share."""
    places = np.searchsorted(many.offsets, few.offsets)
    parts, start = [], 0
    for i, place in enumerate(places.tolist()):
        parts += [many.rows(start, place), few.rows(i, i + 1)]
        start = place
    return joined([*parts, many.rows(start, len(many))])


class Counted(NamedTuple):
    """What was met in samples that features were left out of, because they have to wait."""

    waiting: Counts  # features that go on waiting: in how many of the samples they were
    admitted: Counts  # features that wait no longer: how often they had been met before
    whole: Samples  # nothing left out


class Rejection(NamedTuple):
    """A record that could not be learned from, or one sample of a record of many."""

    offset: int
    reason: str
    row: int | None = None  # the sample's index in the record; None: the whole record


def offsets_of(rejections: Sequence[Rejection]) -> np.ndarray:
    """(rejections,) int64."""
    return np.array([one.offset for one in rejections], np.int64)


def in_order(rejections: Iterable[Rejection]) -> list[Rejection]:
    """By record, and by row within a record."""
    return sorted(rejections, key=lambda one: (one.offset, -1 if one.row is None else one.row))


def row_numbers(samples: Samples, rejections: Sequence[Rejection]) -> np.ndarray:
    """Each sample's index in its record, (samples,) int64; -1 where a record is one sample.

    ``rejections``: of the same records, which tell the rows that are missing among the samples.
    """
    offsets = samples.offsets
    rows = np.full(len(samples), -1, np.int64)
    missing: dict[int, set[int]] = {}
    for rejection in rejections:
        if rejection.row is not None:
            missing.setdefault(rejection.offset, set()).add(rejection.row)
    if not len(samples):
        return rows
    starts = np.flatnonzero(np.concatenate(([True], offsets[1:] != offsets[:-1])))
    ends = np.append(starts[1:], len(samples))
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        gone = missing.get(int(offsets[start]), set())
        if end - start > 1 or gone:
            whole = np.arange(end - start + len(gone))
            rows[start:end] = whole[~np.isin(whole, list(gone))]
    return rows


def rejected_of(
    samples: Samples, fine: np.ndarray, reason: str, others: Sequence[Rejection] = ()
) -> list[Rejection]:
    """Rejections of the samples whose place in ``fine`` (samples,) bool is false.

    ``others``: of the same records, from before, which tell the rows that are missing.
    """
    rows = row_numbers(samples, others)
    return [rejection_of(samples, int(i), reason, rows) for i in np.flatnonzero(~fine)]


def rejection_of(samples: Samples, i: int, reason: str, rows: np.ndarray) -> Rejection:
    """The rejection of sample ``i``, with its row in the record where that holds several."""
    row = int(rows[i])
    offset = int(samples.offsets[i])
    return Rejection(offset, reason) if row < 0 else Rejection(offset, f"row {row}: {reason}", row)
