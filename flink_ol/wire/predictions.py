"""Predictions: the answers to requests.

JSON: ``{"id", "prediction", "probabilities": {label: p} | "value": x, "model": {"epoch",
"version"}, "partition", "offset"}``, or ``error`` in place of prediction and what follows from
it. Partition and offset are the request's. An answer over 1 MB becomes an error.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson

from flink_ol.core.labels import Labels
from flink_ol.core.model import Answer
from flink_ol.wire.errors import WireError

MOST_BYTES = 1_000_000  # below Kafka's default limit: a record over it would stop the job


def encode_answer(answer: Answer, labels: Labels) -> bytes:
    request = answer.request
    fields: dict[str, Any] = {"id": request.id}
    if answer.scores is None:
        fields["error"] = request.error
    else:
        fields |= prediction(answer.scores, labels)
    fields["model"] = {"epoch": answer.version.epoch, "version": answer.version.number}
    fields["partition"], fields["offset"] = request.partition, request.offset
    data = orjson.dumps(fields)
    if len(data) <= MOST_BYTES:
        return data
    return _oversized(fields, len(data))


def _oversized(fields: dict[str, Any], size: int) -> bytes:
    """The answer that takes the place of one that no record can hold."""
    kept = {name: fields[name] for name in ("id", "model", "partition", "offset")}
    kept["error"] = f"the answer has {size} bytes, at most {MOST_BYTES} fit"
    data = orjson.dumps(kept)
    if len(data) <= MOST_BYTES:
        return data
    kept["error"] = f"the id takes {size} bytes, at most {MOST_BYTES} fit; give a shorter one"
    return orjson.dumps(kept | {"id": None})


def prediction(scores: np.ndarray, labels: Labels) -> dict[str, Any]:
    """The answer proper: ``scores`` (classes,) probabilities, or (1,) value."""
    if labels.task == "regression":
        return {"prediction": float(scores[0]), "value": float(scores[0])}
    label = labels.decode(int(np.argmax(scores)))
    if labels.task == "binary":
        label = labels.decode(int(scores[1] > 0.5))
    probabilities = {str(labels.decode(i)): float(p) for i, p in enumerate(scores)}
    return {"prediction": label, "probabilities": probabilities}


def decode_answer(data: bytes) -> dict[str, Any]:
    """The answer's fields. Raises WireError."""
    try:
        fields = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise WireError(f"prediction: not JSON ({error})") from None
    if not isinstance(fields, dict) or not ("prediction" in fields or "error" in fields):
        raise WireError(f"prediction: neither prediction nor error in {data[:200]!r}")
    return fields
