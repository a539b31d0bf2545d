"""Weights frames, from the model back to the trainers.

Tensors of kind ``frame``: arrays ``keys``, ``model/NAME``; fields version [epoch, number],
workers [[index, incarnation], ...], acknowledged {partition: sequence}, rate_scale; pace, [round,
passes, {partition: clock}], where shards wait for each other; overrides {setting: value}, where
there are any. Where features have to be met several times, ``waiting/keys`` and ``waiting/counts``:
those without weights yet.

Format 2 is a change: ``parent`` [epoch, number] is the frame before, and the arrays hold the rows
of what changed since.
Format 3 is a change with differences of the arrays in ``codes``, {array: numbers that hold it},
which stand under ``narrow``, see narrow; ``keys`` of 4 bytes where that is enough. A whole frame
has ``codes`` where its changes may be such.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from flink_ol.core.messages import PACE_AT_FIRST, Frame, Heading, Version
from flink_ol.wire.addresses import pace_of, pace_to_json, version_of, worker_of
from flink_ol.wire.errors import WireError
from flink_ol.wire.narrow import narrow_keys, narrowed, wide_keys, widened
from flink_ol.wire.tensors import (
    counts,
    decode_tensors,
    encode_tensors,
    feature_keys,
    group,
    read_fields,
    under,
)

_KIND, _FORMATS = "frame", range(1, 4)


def encode_frame(frame: Frame) -> bytes:
    # the lowest format that says it, so that no reader is shut out without need
    if frame.parent is None or not frame.codes:
        return encode_tensors(_KIND, 1 if frame.parent is None else 2, *frame_content(frame))
    told, narrow, others = narrowed(frame.codes, frame.arrays)
    fields, arrays = frame_content(frame._replace(arrays=others))
    arrays |= {"keys": narrow_keys(frame.keys), **under("narrow", narrow)}
    return encode_tensors(_KIND, 3, fields | {"narrow": told}, arrays)


def decode_frame(data: bytes) -> Frame:
    """Raises WireError."""
    return frame_of(*decode_tensors(_KIND, _FORMATS, data))


def peek_frame(data: bytes) -> Heading:
    """What says whether the frame can be taken, to drop others cheaply. Raises WireError."""
    fields = read_fields(_KIND, _FORMATS, data)
    try:
        workers = tuple(map(worker_of, fields["workers"]))
        return Heading(version_of(fields["version"]), workers, _parent(fields))
    except (KeyError, TypeError, ValueError) as error:
        raise WireError(f"frame: a field is missing or wrong ({error!r})") from None


def frame_content(frame: Frame) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The frame as JSON fields and arrays, as snapshots hold them too."""
    fields = {
        "version": list(frame.version),
        "workers": [list(worker) for worker in frame.workers],
        "acknowledged": {str(p): sequence for p, sequence in frame.acknowledged.items()},
        "rate_scale": frame.rate_scale,
        **({} if frame.pace == PACE_AT_FIRST else {"pace": pace_to_json(frame.pace)}),
    }
    if frame.overrides:
        fields["overrides"] = dict(frame.overrides)
    if frame.parent is not None:
        fields["parent"] = list(frame.parent)
    if frame.codes:
        fields["codes"] = dict(frame.codes)
    arrays = {"keys": frame.keys, **under("model", frame.arrays)}
    if frame.waiting is not None:
        arrays |= under("waiting", frame.waiting._asdict())
    return fields, arrays


def frame_of(fields: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Frame:
    """The inverse of :func:`frame_content`. Raises WireError."""
    try:
        narrow = fields.get("narrow", {})
        arrays = wide_keys(arrays) if "narrow" in fields else arrays
        return Frame(
            version_of(fields["version"]),
            tuple(map(worker_of, fields["workers"])),
            {int(p): int(sequence) for p, sequence in fields["acknowledged"].items()},
            float(fields["rate_scale"]),
            feature_keys(arrays),
            group("model", arrays) | widened(narrow, group("narrow", arrays)),
            pace_of(fields.get("pace")),
            dict(fields.get("overrides", {})),
            counts("waiting", arrays),
            _parent(fields),
            {str(name): str(code) for name, code in fields.get("codes", {}).items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WireError(f"frame: a field is missing or wrong ({error!r})") from None


def _parent(fields: Mapping[str, Any]) -> Version | None:
    # a model file has a parent too, and is a whole model of format 1 or 2 of its own
    if fields["kind"] != _KIND or fields["format"] < 2:
        return None
    return version_of(fields["parent"])
