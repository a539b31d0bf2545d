"""The registry of sample formats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from flink_ol.core.config import Learning
from flink_ol.core.labels import Labels
from flink_ol.core.messages import Request
from flink_ol.core.samples import Rejection, Samples
from flink_ol.wire.json_samples import JsonSamples


class SampleFormat(Protocol):
    labels: Labels

    def decode(
        self, payloads: Sequence[bytes | None], offsets: np.ndarray
    ) -> tuple[Samples, list[Rejection]]: ...
    def decode_request(self, payload: bytes | None, partition: int, offset: int) -> Request: ...


def sample_format(name: str, fields: Any, learning: Learning) -> SampleFormat:
    return {"json": JsonSamples}[name](
        Labels(learning.task, learning.classes), fields, learning.features.hash_bits
    )
