"""The registry of sample formats: one line a format.

A format is the section of its settings, which stands in the specification under
``samples.fields``, and the class that decodes and encodes with them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from flink_ol.core.config import Learning
from flink_ol.core.features.expansion import Expansion
from flink_ol.core.fields import Section
from flink_ol.core.labels import Labels
from flink_ol.core.messages import Request
from flink_ol.core.samples import Rejection, Samples
from flink_ol.wire.arrow_samples import ArrowFields, ArrowSamples
from flink_ol.wire.compression import Uncompressed
from flink_ol.wire.csv_samples import CsvFields, CsvSamples
from flink_ol.wire.expanded_samples import Expanded
from flink_ol.wire.json_samples import JsonFields, JsonSamples
from flink_ol.wire.libsvm_samples import LibsvmFields, LibsvmSamples
from flink_ol.wire.vw_samples import VwFields, VwSamples


class PlainFormat(Protocol):
    """What a format can do by itself.

    One whose samples may be many times larger than its records has ``parts`` too.
    """

    labels: Labels
    most_bytes: int  # of one record, unpacked

    def decode(
        self, payloads: Sequence[bytes | None], offsets: np.ndarray
    ) -> tuple[Samples, list[Rejection]]:
        """The samples of one batch, and the records that are none, with the reason."""
        ...

    def decode_request(self, payload: bytes | None, partition: int, offset: int) -> Request:
        """A prediction request; one that cannot be read carries the reason."""
        ...

    def encode(
        self, features: Mapping[str, Any] | Sequence[Any], label: Any = None, **parts: Any
    ) -> bytes:
        """A record, or a request where ``label`` is None; ``parts``: importance, id, time."""
        ...


class SampleFormat(PlainFormat, Protocol):
    """What every format can do, as sample_format gives it."""

    def parts(
        self, payloads: Sequence[bytes | None], offsets: np.ndarray
    ) -> Iterator[tuple[Samples, list[Rejection]]]:
        """As decode, in one or more parts of bounded memory, one after the other."""
        ...


class Format(NamedTuple):
    """What the registry knows of a format."""

    fields: type[Section]  # its settings; those without a default must be given
    samples: Callable[[Labels, Any], PlainFormat]  # (labels, settings)
    many_samples: bool = False  # whether a message may hold many


FORMATS = {
    "arrow": Format(ArrowFields, ArrowSamples, many_samples=True),
    "csv": Format(CsvFields, CsvSamples),
    "json": Format(JsonFields, JsonSamples),
    "libsvm": Format(LibsvmFields, LibsvmSamples),
    "vw": Format(VwFields, VwSamples),
}


def sample_format(name: str, fields: Any, learning: Learning) -> SampleFormat:
    """The format ``name`` with its settings ``fields``, for what is to be learned.

    Messages may be compressed, features made of features, and keys folded into hash_bits, whatever
    the format: where all names are told apart before, those that meet in one index can be counted.
    """
    features, least = learning.features, learning.chosen_loss.least_target
    labels = Labels(learning.task, learning.classes, least)
    if not (features.text or features.crosses or features.hash_bits is not None):
        return Uncompressed(FORMATS[name].samples(labels, fields))
    # names make room where features expire
    told = sys.maxsize if features.expiry else features.names_kept
    expansion = Expansion(features.text, features.crosses, features.hash_bits, told)
    return Expanded(Uncompressed(FORMATS[name].samples(labels, fields)), expansion)
