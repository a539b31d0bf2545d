"""A sample format with features made of its features: words of texts and crosses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from flink_ol.core.features.expansion import Expansion
from flink_ol.core.messages import Request
from flink_ol.core.samples import Rejection, Samples, in_order


class Expanded:
    """Of the protocol formats.SampleFormat, around one whose keys have 64 bits."""

    def __init__(self, plain: Any, expansion: Expansion) -> None:
        self.plain = plain
        self.labels = plain.labels
        self.most_bytes = plain.most_bytes
        self._expansion = expansion

    def decode(
        self, payloads: Sequence[bytes | None], offsets: np.ndarray
    ) -> tuple[Samples, list[Rejection]]:
        """As the format does, expanded."""
        return self._expanded(*self.plain.decode(payloads, offsets))

    def parts(
        self, payloads: Sequence[bytes | None], offsets: np.ndarray
    ) -> Iterator[tuple[Samples, list[Rejection]]]:
        """As the format does, expanded."""
        for samples, rejections in self.plain.parts(payloads, offsets):
            yield self._expanded(samples, rejections)

    def _expanded(
        self, samples: Samples, rejections: list[Rejection]
    ) -> tuple[Samples, list[Rejection]]:
        samples, others = self._expansion(samples, rejections)
        return samples, in_order(rejections + others) if others else rejections

    def decode_request(self, payload: bytes | None, partition: int, offset: int) -> Request:
        """As the format does, expanded."""
        request: Request = self.plain.decode_request(payload, partition, offset)
        if request.row is None:
            return request
        row, rejections = self._expansion(request.row)
        if rejections:
            return request._replace(row=None, error=rejections[0].reason)
        return request._replace(row=row)

    def encode(
        self, features: Mapping[str, Any] | Sequence[Any], label: Any = None, **parts: Any
    ) -> bytes:
        """As the format does: records hold what things are made of."""
        encoded: bytes = self.plain.encode(features, label, **parts)
        return encoded
