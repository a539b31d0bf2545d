"""The registry of sample formats: one line a format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from flink_ol.core.config import Learning
from flink_ol.core.labels import Labels
from flink_ol.core.messages import Request
from flink_ol.core.samples import Rejection, Samples
from flink_ol.wire.json_samples import JsonSamples


class SampleFormat(Protocol):
    """What every format can do."""

    labels: Labels

    def decode(
        self, payloads: Sequence[bytes | None], offsets: np.ndarray
    ) -> tuple[Samples, list[Rejection]]:
        """The samples of one batch, and the records that are none, with the reason."""
        ...

    def decode_request(self, payload: bytes | None, partition: int, offset: int) -> Request:
        """A prediction request; one that cannot be read carries the reason."""
        ...


# name -> (labels, the format's settings, hash_bits) -> format
FORMATS: dict[str, Callable[[Labels, Any, int | None], SampleFormat]] = {
    "json": JsonSamples,
}


def sample_format(name: str, fields: Any, learning: Learning) -> SampleFormat:
    """The format ``name`` with its settings ``fields``, for what is to be learned."""
    labels = Labels(learning.task, learning.classes)
    return FORMATS[name](labels, fields, learning.features.hash_bits)
