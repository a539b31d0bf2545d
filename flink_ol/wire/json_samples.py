"""Samples as JSON, one a message (first version: the general path)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from flink_ol.core.features.hashing import feature_key
from flink_ol.core.fields import Section
from flink_ol.core.labels import Labels
from flink_ol.core.messages import Request
from flink_ol.core.samples import Rejection, Samples


@dataclass(frozen=True, kw_only=True)
class JsonFields(Section):
    features: str | None = "x"
    label: str = "y"
    importance: str = "w"
    id: str = "id"
    time: str = "t"


class JsonSamples:
    def __init__(self, labels: Labels, fields: JsonFields, hash_bits: int | None) -> None:
        self.labels, self.fields, self.hash_bits = labels, fields, hash_bits
        self.names: dict[int, str] = {}

    def decode(
        self, payloads: Sequence[bytes | None], offsets: np.ndarray
    ) -> tuple[Samples, list[Rejection]]:
        rows, rejections = [], []
        for payload, offset in zip(payloads, offsets.tolist(), strict=True):
            try:
                rows.append((self._row(payload, True), offset))
            except ValueError as error:
                rejections.append(Rejection(offset, str(error)))
        return self._samples(rows), rejections

    def _samples(self, rows: list) -> Samples:
        lengths = [len(row[0]) for row, _ in rows]
        return Samples(
            np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64),
            np.array([k for row, _ in rows for k in row[0]], np.int64),
            np.array([v for row, _ in rows for v in row[1]], np.float64),
            np.array([c for row, _ in rows for c in row[2]], bool),
            np.array([row[3] for row, _ in rows], np.float64),
            np.array([row[4] for row, _ in rows], np.float64),
            np.array([o for _, o in rows], np.int64),
            self.names,
        )

    def _row(self, payload: bytes | None, labelled: bool) -> tuple:
        if not payload:
            raise ValueError("the record is empty")
        if len(payload) > 1 << 20:
            raise ValueError(f"the record has {len(payload)} bytes")
        try:
            record = orjson.loads(payload)
        except orjson.JSONDecodeError as error:
            raise ValueError(f"not JSON: {error}") from None
        if not isinstance(record, dict):
            raise ValueError("not an object")
        features = record.get(self.fields.features)
        if isinstance(features, list):
            features = {str(i): v for i, v in enumerate(features)}
        if not isinstance(features, dict):
            raise ValueError(f"{self.fields.features!r} is missing")
        keys, values, numeric = [], [], []
        for name, value in features.items():
            if value is None:
                continue
            if isinstance(value, str | bool):
                name = f"{name}={str(value).lower() if isinstance(value, bool) else value}"
                number, plain = 1.0, False
            elif isinstance(value, int | float) and math.isfinite(value):
                number, plain = float(value), True
            else:
                raise ValueError(f"{name!r} is {value!r}")
            key = feature_key(name, self.hash_bits)
            self.names.setdefault(key, name)
            keys.append(key)
            values.append(number)
            numeric.append(plain)
        label = math.nan
        if labelled:
            if self.fields.label not in record:
                raise ValueError(f"{self.fields.label!r} is missing")
            label = self.labels.encode(record[self.fields.label])
        return (
            keys,
            values,
            numeric,
            label,
            float(record.get(self.fields.importance, 1.0)),
            record.get(self.fields.id),
        )

    def decode_request(self, payload: bytes | None, partition: int, offset: int) -> Request:
        try:
            row = self._row(payload, False)
        except ValueError as error:
            return Request(None, None, str(error), partition, offset)
        return Request(row[5], self._samples([(row, offset)]), None, partition, offset)
