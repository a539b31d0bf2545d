"""JSON records of any names and kinds of values, read by compiled code.

Only what is rare in a record leaves it to the parser: escapes, a name that stands twice, deeper
objects, anything wrong. Such records are named, and no others have to be parsed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson

from flink_ol.core.labels import Labels
from flink_ol.core.samples import Samples
from flink_ol.wire.feature_rows import Entries
from flink_ol.wire.json_faults import MOST_BYTES
from flink_ol.wire.known_keys import KnownKeys
from flink_ol.wire.names import FeatureNames


class Read(NamedTuple):
    """What compiled code made of a batch."""

    samples: Samples  # of all other records
    careful: np.ndarray  # (records,) bool: those that it left


class JsonRecords:
    """Reads the batches of one decoder."""

    def __init__(self, labels: Labels, fields: Any, names: FeatureNames) -> None:
        """``fields``: of JsonSamples."""
        from flink_ol.core.features import json_records, pieces

        self._scan, self._scanned = json_records.scan, json_records.Scanned
        self._distinct = pieces.distinct_pieces
        self._labels, self._names = labels, names
        self._known = KnownKeys(names)
        self._flat = fields.features is None
        parts = {
            fields.label: json_records.LABEL,
            fields.importance: json_records.IMPORTANCE,
            fields.id: json_records.NOTHING,
            fields.time: json_records.NOTHING,
        }
        if not self._flat:
            parts[fields.features] = json_records.FEATURES
        # a name of several parts is for the parser
        self._able = len(parts) == 4 + (not self._flat)
        written = [name.encode(errors="surrogatepass") for name in parts]
        self._parts = np.frombuffer(b"".join(written), np.uint8)
        self._part_ends = np.cumsum(list(map(len, written)), dtype=np.int64)
        self._roles = np.array(list(parts.values()), np.int64)

    def read(self, payloads: Sequence[bytes | None], offsets: np.ndarray) -> Read | None:
        """The samples of what can be read quickly; None: nothing can."""
        if not self._able or not payloads:
            return None
        fit, text = _text(payloads)
        bounds = np.concatenate(([0], np.cumsum(list(map(len, fit)), dtype=np.int64)))
        found = self._scan_all(np.frombuffer(text, np.uint8), text, bounds)
        labels, fine = self._encoded(found, text)
        left = found.careful | ~fine | _infinite(found.indptr, found.values)
        entries = _of_rows(~left, found)
        return Read(
            Samples(
                entries.indptr,
                entries.keys,
                entries.values,
                entries.numeric,
                labels[~left],
                found.importance[~left],
                np.asarray(offsets, np.int64)[~left],
                self._names.by_key,
            ),
            left,
        )

    def _scan_all(self, data: np.ndarray, text: bytes, bounds: np.ndarray) -> Any:
        known = self._known
        known.refresh()
        while True:
            layout = self._parts, self._part_ends, self._roles, self._flat
            found = self._scanned(*self._scan(data, bounds, *layout, known.table, known.used))
            for key, begin, end, value, value_end in found.fresh.tolist():
                name = str(end) if begin < 0 else text[begin:end].decode()
                if value >= 0:
                    name = f"{name}={text[value:value_end].decode()}"
                known.by_key.setdefault(key, name)
            known.grow(len(found.fresh))
            if not found.full:
                break
        for entry, begin, end in found.inexact.tolist():
            into, place = (found.values, entry) if entry >= 0 else (found.targets, -1 - entry)
            into[place] = float(text[begin:end])
        return found

    def _encoded(self, found: Any, text: bytes) -> tuple[np.ndarray, np.ndarray]:
        """Labels as the core counts them, and whether they are some: (records,) both."""
        if self._labels.task == "regression":
            targets = found.targets
            return targets, np.isfinite(targets) & (targets >= self._labels.least_target)
        firsts, kinds = self._distinct(np.frombuffer(text, np.uint8), found.labels)
        bounds = found.labels[firsts].tolist()
        labels = np.array([self._encode(text[begin:end]) for begin, end in bounds])[kinds]
        return labels, ~np.isnan(labels)

    def _encode(self, label: bytes) -> float:
        try:
            return self._labels.encode(orjson.loads(label))
        except ValueError:
            return math.nan


def _text(payloads: Sequence[bytes | None]) -> tuple[Sequence[bytes], bytes]:
    """The payloads, with nothing in place of unfit ones, and all of them joined."""
    try:
        text = b"".join(payloads)  # type: ignore[arg-type]
        if max(map(len, payloads)) <= MOST_BYTES and _is_utf8(text):  # type: ignore[arg-type]
            return payloads, text  # type: ignore[return-value]
    except TypeError:  # a tombstone is among them
        pass
    fit = [
        payload if payload and len(payload) <= MOST_BYTES and _is_utf8(payload) else b""
        for payload in payloads
    ]
    return fit, b"".join(fit)


def _is_utf8(text: bytes) -> bool:
    try:
        return text.isascii() or bool(text.decode())
    except UnicodeDecodeError:
        return False


def _infinite(indptr: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Which rows have a number beyond what 64 bits hold: (rows,) bool."""
    found = np.zeros(len(indptr) - 1, np.bool_)
    if not np.isfinite(values).all():
        found[np.searchsorted(indptr, np.flatnonzero(~np.isfinite(values)), "right") - 1] = True
    return found


def _of_rows(kept: np.ndarray, found: Any) -> Entries:
    """The entries of the rows ``kept`` (records,) bool; those left by the scan have none."""
    lengths = np.diff(found.indptr)
    indptr = np.concatenate(([0], np.cumsum(lengths[kept]))).astype(np.int64)
    if indptr[-1] == len(found.keys):
        return Entries(indptr, found.keys, found.values, found.numeric)
    entries = np.repeat(kept, lengths)
    return Entries(indptr, found.keys[entries], found.values[entries], found.numeric[entries])
