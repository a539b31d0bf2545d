"""Metrics: the progressive evaluation of the model at one version.

JSON: ``{"job", "time_ms", "model": {"epoch", "version"}, "samples", "rejected", "features",
"names": {"kept", "collisions"}, "workers", "rate_scale", "newest_ms", "metrics": {...},
"overrides", "command"}``, the metrics being those of core.evaluation.metrics: cumulative, with
``window``, ``faded``, ``slices`` and ``baselines``. ``overrides`` and ``command`` are there where
there are any, ``waiting`` (features without weights) where they have to be met several times, and
``expired`` (features dropped so far) where they are. ``lags`` counts updates by how many versions
they were behind: none, 1, 2 to 3, 4 to 7, ..., since the job last started; ``round``, in mode sync,
has number, passes and the metrics of the round alone, scored before its step. Over 1 MB the slices
are left out, and ``left_out`` says so.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson

from flink_ol.core.config import Learning
from flink_ol.core.evaluation import metrics
from flink_ol.core.model import PublishMetrics
from flink_ol.wire.errors import WireError

_MOST_BYTES = 1_000_000  # below Kafka's default limit: a record over it would stop the job


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
    if told.lags.any():
        fields["lags"] = np.trim_zeros(told.lags, "b")
    if told.pace.round:
        of_round = metrics(told.of_round, learning) if told.of_round else {}
        fields["round"] = {"number": told.pace.round, "passes": told.pace.passes} | of_round
    if told.command is not None:
        fields["command"] = told.command
    data = orjson.dumps(fields, option=orjson.OPT_SERIALIZE_NUMPY)
    if len(data) <= _MOST_BYTES:
        return data
    told_of = {name: value for name, value in fields["metrics"].items() if name != "slices"}
    fields |= {"metrics": told_of, "left_out": ["slices"]}
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
