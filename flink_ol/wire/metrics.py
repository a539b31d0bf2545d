"""Metrics: the progressive evaluation of the model at one version.

JSON: ``{"job", "time_ms", "model": {"epoch", "version"}, "samples", "rejected", "features",
"names": {"kept", "collisions"}, "workers", "rate_scale", "newest_ms", "metrics": {...},
"overrides", "command"}``, the metrics being those of core.evaluation.metrics: cumulative, with
``window``, ``faded``, ``slices`` and ``baselines``. ``overrides`` and ``command`` are there where
there are any, ``waiting`` (features without weights) where they have to be met several times, and
``expired`` (features dropped so far) where they are.
"""

from __future__ import annotations

from typing import Any

import orjson

from flink_ol.core.config import Learning
from flink_ol.core.evaluation import metrics
from flink_ol.core.model import PublishMetrics
from flink_ol.wire.errors import WireError


def encode_metrics(told: PublishMetrics, job: str, learning: Learning) -> bytes:
    fields: dict[str, Any] = {
        "job": job,
        "time_ms": told.time_ms,
        "model": {"epoch": told.version.epoch, "version": told.version.number},
        "samples": told.samples,
        "rejected": told.rejected,
        "features": told.features,
        "names": {"kept": told.names, "collisions": told.collisions},
        "workers": told.workers,
        "rate_scale": told.rate_scale,
        "newest_ms": told.newest_ms,
        "metrics": metrics(told.sums, learning, told.recent) if told.sums else {},
    }
    if told.overrides:
        fields["overrides"] = dict(told.overrides)
    if told.waiting is not None:
        fields["waiting"] = told.waiting
    if told.expired is not None:
        fields["expired"] = told.expired
    if told.command is not None:
        fields["command"] = told.command
    return orjson.dumps(fields, option=orjson.OPT_SERIALIZE_NUMPY)


def decode_metrics(data: bytes) -> dict[str, Any]:
    """The message's fields. Raises WireError."""
    try:
        fields = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise WireError(f"metrics: not JSON ({error})") from None
    if not isinstance(fields, dict) or "metrics" not in fields or "model" not in fields:
        raise WireError(f"metrics: not a metrics message: {data[:200]!r}")
    return fields
