"""What LIBSVM and VW text have in common: a head, then words ``name:value``.

A batch is read by compiled code at once; the rows that it leaves, and no others, are read one by
one by the careful reader of the format, which knows every rule and gives every reason.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from flink_ol.core.labels import Labels
from flink_ol.core.messages import Request
from flink_ol.core.samples import Rejection, Samples
from flink_ol.wire.feature_rows import infinite_rows
from flink_ol.wire.known_keys import KnownKeys
from flink_ol.wire.names import FeatureNames
from flink_ol.wire.text_values import MOST_BYTES, encode_label, one_line

_MOST_HEADS = 1 << 16  # remembered at a time


class Word(NamedTuple):
    """One feature as it stands in a record."""

    name: str
    value: float
    numeric: bool  # False: the word had no value of its own


class Head(NamedTuple):
    """What stands before the features."""

    label: str | None
    importance: float
    id: str | None


class SparseText:
    """Decodes the records of one job; a format gives the grammar and the careful readers."""

    grammar: int  # of core.features.sparse_text
    most_bytes = MOST_BYTES

    def __init__(self, labels: Labels, fields: Any) -> None:
        # numba takes its time to import: not for commands that decode nothing
        from flink_ol.core.features.pieces import distinct_pieces
        from flink_ol.core.features.sparse_text import Scanned, scan

        self._scan, self._scanned, self._distinct = scan, Scanned, distinct_pieces
        self.labels = labels
        self._names = FeatureNames()
        self._heads: dict[bytes, tuple[float, float]] = {}
        self._known = KnownKeys(self._names)

    def read_head(self, text: str) -> Head:
        """The parts of a head; ValueError that says what is wrong with it."""
        raise NotImplementedError

    def read_words(self, text: str) -> tuple[str, list[Word]]:
        """Head and features of a record of one line; ValueError that says what is wrong."""
        raise NotImplementedError

    def decode(
        self, payloads: Sequence[bytes | None], offsets: np.ndarray
    ) -> tuple[Samples, list[Rejection]]:
        """Samples and rejections of ``payloads``, whose Kafka ``offsets`` (records,) increase."""
        self._names.trim()
        offsets = np.asarray(offsets, np.int64)
        rejections: list[Rejection] = []
        text = _joined(payloads)
        if text is None:
            kept, texts = [], []
            for i, payload in enumerate(payloads):
                try:
                    texts.append(one_line(payload).encode())
                    kept.append(i)
                except ValueError as error:
                    rejections.append(Rejection(int(offsets[i]), str(error)))
            payloads, offsets, text = texts, offsets[kept], b"\n".join(texts)
        if len(payloads):
            samples = self._samples(payloads, text, offsets, rejections)
        else:
            samples = self._of_words([], [], offsets)
        rejections.sort()
        return samples, rejections

    def decode_request(self, payload: bytes | None, partition: int, offset: int) -> Request:
        """A prediction request: a sample that needs no label."""
        self._names.trim()
        identity = None
        try:
            text, words = self.read_words(one_line(payload))
            head = self.read_head(text)
            identity = head.id
            _check_finite(words)
        except ValueError as error:
            return Request(identity, None, str(error), partition, offset)
        found = [(math.nan, head.importance)]
        row = self._of_words(found, [words], np.array([offset], np.int64))
        return Request(identity, row, None, partition, offset)

    def _samples(
        self,
        payloads: Sequence[bytes | None],
        text: bytes,
        offsets: np.ndarray,
        rejections: list[Rejection],
    ) -> Samples:
        scanned = self._scan_all(payloads, text)
        if len(self._heads) > _MOST_HEADS:
            self._heads.clear()
        firsts, kinds = self._distinct(np.frombuffer(text, np.uint8), scanned.heads)
        found = [self._head(text[begin:end]) for begin, end in scanned.heads[firsts].tolist()]
        heads = np.array(found, np.float64).reshape(-1, 2)[kinds]
        infinite = infinite_rows(scanned.indptr, scanned.values)
        careful = scanned.careful | np.isnan(heads[:, 0]) | infinite
        if not careful.any():
            entries = scanned.indptr, scanned.keys, scanned.values, scanned.numeric
            return self._made(heads, entries, offsets)
        return self._mended(scanned, careful, heads, payloads, offsets, rejections)

    def _mended(
        self,
        scanned: Any,
        careful: np.ndarray,
        heads: np.ndarray,
        payloads: Sequence[bytes | None],
        offsets: np.ndarray,
        rejections: list[Rejection],
    ) -> Samples:
        """The samples where some rows are left to the careful reader."""
        parts, kept = [], []
        for i, left in enumerate(careful.tolist()):
            if not left:
                row = slice(scanned.indptr[i], scanned.indptr[i + 1])
                parts.append((scanned.keys[row], scanned.values[row], scanned.numeric[row]))
            else:
                try:
                    heads[i], words = self._read(payloads[i])
                except ValueError as error:
                    rejections.append(Rejection(int(offsets[i]), str(error)))
                    continue
                parts.append(self._columns(words))
            kept.append(i)
        lengths = [len(keys) for keys, _, _ in parts]
        columns = [np.concatenate(column) for column in zip(*parts, strict=True)] or self._columns(
            []
        )
        indptr = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
        return self._made(heads[kept], (indptr, *columns), offsets[kept])

    def _scan_all(self, payloads: Sequence[bytes | None], text: bytes) -> Any:
        lengths = np.array(list(map(len, payloads)), np.int64)  # type: ignore[arg-type]
        bounds = np.concatenate(([0], np.cumsum(lengths + 1)))
        data = np.frombuffer(text, np.uint8)

        def scan(table: np.ndarray, used: np.ndarray) -> Any:
            return self._scanned(*self._scan(data, bounds, self.grammar, table, used))

        def name(space: int, space_end: int, begin: int, end: int) -> str:
            plain = text[begin:end].decode()
            return f"{text[space:space_end].decode()}^{plain}" if space_end > space else plain

        found = self._known.scanned(scan, name)
        for entry, begin, end in found.inexact.tolist():
            found.values[entry] *= float(text[begin:end])
        return found

    def _head(self, part: bytes) -> tuple[float, float]:
        """Label and importance; not numbers where the careful reader has to say what is wrong."""
        known = self._heads.get(part)
        if known is not None:
            return known
        try:
            head = self.read_head(part.decode())
            found = self._labelled(head)
        except ValueError:
            return math.nan, math.nan
        if head.id is None:  # heads with an id do not come again
            self._heads[part] = found
        return found

    def _labelled(self, head: Head) -> tuple[float, float]:
        if head.label is None:
            raise ValueError("the label is missing; it stands first")
        try:
            return encode_label(self.labels, head.label), head.importance
        except ValueError as error:
            raise ValueError(f"the label: {error}") from None

    def _read(self, payload: bytes | None) -> tuple[tuple[float, float], list[Word]]:
        """Label, importance and features of a record; ValueError that says why there are none."""
        text, words = self.read_words(one_line(payload))
        found = self._labelled(self.read_head(text))
        _check_finite(words)
        return found, words

    def _of_words(
        self, heads: list[tuple[float, float]], rows: list[list[Word]], offsets: np.ndarray
    ) -> Samples:
        indptr = np.cumsum([0, *map(len, rows)], dtype=np.int64)
        words = [word for row in rows for word in row]
        return self._made(np.array(heads, np.float64), (indptr, *self._columns(words)), offsets)

    def _columns(self, words: list[Word]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return (
            self._names.keys([word.name for word in words]),
            np.array([word.value for word in words], np.float64),
            np.array([word.numeric for word in words], np.bool_),
        )

    def _made(
        self, heads: np.ndarray, entries: tuple[np.ndarray, ...], offsets: np.ndarray
    ) -> Samples:
        """``heads`` (rows, 2) float64: label and importance."""
        labels, importance = heads.reshape(-1, 2).T.copy()
        indptr, keys, values, numeric = entries
        names = self._names.by_key
        return Samples(indptr, keys, values, numeric, labels, importance, offsets, names)


def _joined(payloads: Sequence[bytes | None]) -> bytes | None:
    """All records with a newline after each but the last; None if some are unfit."""
    try:
        lengths = list(map(len, payloads))  # type: ignore[arg-type]
        if lengths and (min(lengths) == 0 or max(lengths) > MOST_BYTES):
            return None
        text = b"\n".join(payloads)  # type: ignore[arg-type]
        if not text.isascii():
            text.decode()
    except (TypeError, UnicodeDecodeError):
        return None
    return text


def _check_finite(words: list[Word]) -> None:
    for word in words:
        if not math.isfinite(word.value):
            raise ValueError(f"feature {word.name[:60]!r} is {word.value}; give a finite number")
