"""Samples as Arrow: a message is one Arrow IPC stream of record batches, a row is a sample.

Columns: the label, and optionally importance (null: 1), id and event time, by the settings' names;
every other column holds features. A number is one feature of the column's name; a text, a
dictionary of texts or a truth value is a category (``f=v`` with value 1); a column of lists of
numbers, fixed in size or not, gives ``f[0]``, ``f[1]``, ..., or "0", "1", ... where it has the
name in ``features``. So does a column of bytes, fixed in number or not, whose metadata say which
``dtype`` and ``shape`` they have (raw_arrays). Two columns of lists, ``indices`` and ``values``,
are features that are named by a number. Null is absent, everywhere.

The samples of a message share its offset. A message that cannot be read is one rejection; of one
that can, each row that cannot be used is one, with its number from 0.

The message, its buffers unpacked, its rows and its features are counted before memory is taken
(arrow_stream), and the library has checked every length, offset and text before they are used.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from flink_ol.core.features.appending import without_rows
from flink_ol.core.fields import Section
from flink_ol.core.labels import Labels
from flink_ol.core.messages import Request
from flink_ol.core.samples import Rejection, Samples, joined
from flink_ol.wire.arrow_stream import MOST_BYTES, checked
from flink_ol.wire.names import FeatureNames

if TYPE_CHECKING:
    from flink_ol.wire.arrow_plain import Message

_AT_ONCE = 1 << 22  # features and rows that are decoded together, but for the last message: 70 MB


@dataclass(frozen=True, kw_only=True)
class ArrowFields(Section):
    """The names of the columns that are not plain features."""

    features: str = "x"
    """A column of lists or raw arrays whose items are the features "0", "1", ...."""
    indices: str = "indices"
    """A column of lists of integers that name the features; goes with values."""
    values: str = "values"
    """A column of lists of numbers: the values of those in indices."""
    label: str = "y"
    """Holds the label."""
    importance: str = "w"
    """Holds the importance weight, above 0; 1 where it is null or there is none."""
    id: str = "id"
    """Holds what a prediction repeats to be found by; any scalar."""
    time: str = "t"
    """Holds the event time; kept out of the features."""


class ArrowSamples:
    """Decodes and encodes the messages of one job."""

    most_bytes = MOST_BYTES

    def __init__(self, labels: Labels, fields: ArrowFields) -> None:
        # they take their time to import
        from flink_ol.wire.arrow_plain import PlainMessages
        from flink_ol.wire.arrow_rows import ArrowRows

        self.labels = labels
        self._fields = fields
        self._names = FeatureNames()
        self._rows = ArrowRows(labels, fields, self._names)
        self._plain = PlainMessages(labels, fields, self._names, self._rows.indices)
        self._empty = Samples(
            np.zeros(1, np.int64),
            np.empty(0, np.int64),
            np.empty(0),
            np.empty(0, np.bool_),
            np.empty(0),
            np.empty(0),
            np.empty(0, np.int64),
            {},
        )

    def decode(
        self, payloads: Sequence[bytes | None], offsets: np.ndarray
    ) -> tuple[Samples, list[Rejection]]:
        """Samples and rejections of ``payloads``, whose Kafka ``offsets`` (records,) increase."""
        ((samples, rejections),) = self._decoded(payloads, offsets, math.inf)
        return samples, rejections

    def parts(
        self, payloads: Sequence[bytes | None], offsets: np.ndarray
    ) -> Iterator[tuple[Samples, list[Rejection]]]:
        """As decode, in parts of at most a few million features."""
        return self._decoded(payloads, offsets, _AT_ONCE)

    def _decoded(
        self, payloads: Sequence[bytes | None], offsets: np.ndarray, most: float
    ) -> Iterator[tuple[Samples, list[Rejection]]]:
        self._names.trim()
        rejections: list[Rejection] = []
        parts: list[Samples] = []
        alike: list[Message] = []  # plain ones of one schema, that are read together
        size = 0
        for payload, offset in zip(payloads, np.asarray(offsets).tolist(), strict=True):
            message = self._plain.message(payload, offset)
            if alike and (message is None or message.plan.schema != alike[0].plan.schema):
                parts += self._together(alike, rejections)
                alike = []
            if message is not None:
                alike.append(message)
                size += message.plan.rows + message.plan.entries
            else:
                parts.append(self._alone(payload, offset, rejections))
                size += len(parts[-1]) + len(parts[-1].keys)
            if size >= most:
                yield self._joined(parts + self._together(alike, rejections)), rejections
                self._names.trim()
                parts, alike, rejections, size = [], [], [], 0
        parts += self._together(alike, rejections)
        if parts or rejections or not len(payloads):
            yield self._joined(parts), rejections

    def _together(self, messages: list[Message], rejections: list[Rejection]) -> list[Samples]:
        if not messages:
            return []
        samples = self._plain.samples(messages)
        if samples is not None:
            return [samples]
        return [self._alone(one.payload, one.offset, rejections) for one in messages]

    def _alone(self, payload: bytes | None, offset: int, rejections: list[Rejection]) -> Samples:
        """The samples of one message; what is wrong with it is added to ``rejections``."""
        try:
            samples, faults = self._rows.samples(payload, offset, True)
        except ValueError as error:
            rejections.append(Rejection(offset, str(error)[:400]))
            return self._empty
        rejections += (
            Rejection(offset, f"row {row}: {faults[row]}", row) for row in sorted(faults)
        )
        if faults:
            spoilt = np.zeros(len(samples), np.bool_)
            spoilt[list(faults)] = True
            samples = without_rows(samples, spoilt)
        return samples

    def _joined(self, parts: list[Samples]) -> Samples:
        parts = [part for part in parts if len(part)]
        return joined(parts) if parts else self._empty

    def decode_request(self, payload: bytes | None, partition: int, offset: int) -> Request:
        """A prediction request: a message of one row that needs no label."""
        self._names.trim()
        identity = None
        try:
            if checked(payload).rows > 1:
                raise ValueError("a request is a message of one row; send a message for each")
            identity = self._rows.identity(payload)
            samples, faults = self._rows.samples(payload, offset, False)
        except ValueError as error:
            return Request(identity, None, str(error)[:400], partition, offset)
        if faults:
            return Request(identity, None, faults[0], partition, offset)
        return Request(identity, samples, None, partition, offset)

    def encode(
        self, features: Mapping[str, Any] | Sequence[Any], label: Any = None, **parts: Any
    ) -> bytes:
        """A message of one row; ``parts`` may be importance, id and time."""
        from flink_ol.wire.arrow_writing import encode_rows

        row = {getattr(self._fields, part): value for part, value in parts.items()}
        if label is not None:
            row[self._fields.label] = label
        plain: Mapping[str, Any]
        if isinstance(features, Mapping):
            plain = features
        elif len(features) and all(isinstance(value, int | float) for value in features):
            plain = {self._fields.features: [float(value) for value in features]}
        else:
            plain = {str(i): value for i, value in enumerate(features)}
        return encode_rows([{**plain, **row}])
