"""Entries put behind those that rows of samples have already."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from flink_ol.core.samples import Counted, Samples


def appended(
    samples: Samples,
    sizes: np.ndarray,
    keys: np.ndarray,
    values: np.ndarray,
    numeric: np.ndarray,
    names: Mapping[int, str],
) -> Samples:
    """``samples`` where row ``i`` has ``sizes[i]`` more entries; ``names`` knows all keys.

    ``sizes`` (samples,) int64; the new entries (sum of sizes,) stand in the order of the rows.
    """
    lengths = np.diff(samples.indptr)
    ends = np.concatenate(([0], np.cumsum(sizes)))
    indptr = samples.indptr + ends
    old = np.arange(len(samples.keys)) + np.repeat(ends[:-1], lengths)
    new = np.arange(len(keys)) + np.repeat(samples.indptr[1:], sizes)
    joined = []
    for first, second in (
        (samples.keys, keys),
        (samples.values, values),
        (samples.numeric, numeric),
    ):
        both = np.empty(len(first) + len(second), first.dtype)
        both[old], both[new] = first, second
        joined.append(both)
    return with_entries(samples, indptr, joined[0], joined[1], joined[2], names)


def with_entries(
    samples: Samples,
    indptr: np.ndarray,
    keys: np.ndarray,
    values: np.ndarray,
    numeric: np.ndarray,
    names: Mapping[int, str],
) -> Samples:
    """The same samples with other entries."""
    rows = samples.labels, samples.importance, samples.offsets
    return Samples(indptr, keys, values, numeric, *rows, names)


def without_entries(samples: Samples, dropped: np.ndarray) -> Samples:
    """``samples`` without the entries where ``dropped`` (entries,) bool."""
    kept = ~dropped
    ends = np.concatenate(([0], np.cumsum(kept))).astype(np.int64)
    entries = samples.keys[kept], samples.values[kept], samples.numeric[kept]
    return with_entries(samples, ends[samples.indptr], *entries, samples.names)


def with_counted(samples: Samples, counted: Counted | None) -> Samples:
    """The same samples with other counts."""
    if samples.counted is counted:
        return samples
    return Samples(*samples[:-1], counted)  # _replace takes the rows for the fields


def without_rows(samples: Samples, dropped: np.ndarray) -> Samples:
    """``samples`` without the rows where ``dropped`` (samples,) bool."""
    lengths, rows = np.diff(samples.indptr), ~dropped
    entries = np.repeat(rows, lengths)
    return Samples(
        np.concatenate(([0], np.cumsum(lengths[rows]))).astype(np.int64),
        samples.keys[entries],
        samples.values[entries],
        samples.numeric[entries],
        samples.labels[rows],
        samples.importance[rows],
        samples.offsets[rows],
        samples.names,
    )
