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

from flink_ol.core.features.appending import without_rows
from flink_ol.core.labels import Labels
from flink_ol.core.samples import Samples
from flink_ol.wire.feature_rows import infinite_rows
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
        # numba takes its time to import: not for commands that decode nothing
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
        left = found.careful | ~fine | infinite_rows(found.indptr, found.values)
        samples = Samples(
            found.indptr,
            found.keys,
            found.values,
            found.numeric,
            labels,
            found.importance,
            np.asarray(offsets, np.int64),
            self._names.by_key,
        )
        return Read(without_rows(samples, left) if left.any() else samples, left)

    def _scan_all(self, data: np.ndarray, text: bytes, bounds: np.ndarray) -> Any:
        layout = self._parts, self._part_ends, self._roles, self._flat

        def scan(table: np.ndarray, used: np.ndarray) -> Any:
            return self._scanned(*self._scan(data, bounds, *layout, table, used))

        def name(begin: int, end: int, value: int, value_end: int) -> str:
            plain = str(end) if begin < 0 else text[begin:end].decode()
            return plain if value < 0 else f"{plain}={text[value:value_end].decode()}"

        found = self._known.scanned(scan, name)
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
