"""Features as users have them in memory, as the core's rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson

from flink_ol.core.config import Learning
from flink_ol.core.features.expansion import Expansion
from flink_ol.core.features.hashing import feature_key
from flink_ol.core.samples import Samples
from flink_ol.wire.formats import sample_format
from flink_ol.wire.json_samples import JsonFields

Features = np.ndarray | Sequence[Mapping[str, Any]] | Sequence[Sequence[float]]

_FIELDS = JsonFields(features="x")


def rows_of(X: Features, names: Sequence[str] | None, learning: Learning) -> Samples:
    """One unlabelled row for each of ``X``; ValueError names the row that cannot be one."""
    if not isinstance(X, np.ndarray) and len(X) and isinstance(X[0], Mapping):
        if names is not None:
            raise ValueError("names: mappings have names already; give an array, or no names")
        return _of_mappings(X, learning)
    features, X = learning.features, np.asarray(X, np.float64)
    if not (features.text or features.crosses):
        return _of_array(X, names, features.hash_bits)
    expansion = Expansion(features.text, features.crosses, features.hash_bits)
    samples, rejections = expansion(_of_array(X, names, None))
    if rejections:
        raise ValueError(f"X[{rejections[0].offset}]: {rejections[0].reason}")
    return samples


def _of_array(X: np.ndarray, names: Sequence[str] | None, hash_bits: int | None) -> Samples:
    """``X`` (samples, features) float64; NaN is absent."""
    if X.ndim != 2:
        if X.size == 0:
            X = X.reshape(0, 0)
        else:
            raise ValueError(f"X has shape {X.shape}; give (samples, features), or mappings")
    if names is None:
        names = [str(column) for column in range(X.shape[1])]
    if len(names) != X.shape[1]:
        raise ValueError(f"names: {len(names)} names for {X.shape[1]} columns")
    if np.isinf(X).any():
        row, column = np.argwhere(np.isinf(X))[0]
        raise ValueError(f"X[{row}, {column}] is {X[row, column]}; numbers are finite, NaN: absent")
    there = ~np.isnan(X)
    keys = np.array([feature_key(name, hash_bits) for name in names], np.int64)
    values = X[there]
    return _unlabelled(
        np.concatenate([[0], there.sum(axis=1).cumsum()]).astype(np.int64),
        np.broadcast_to(keys, X.shape)[there],
        values,
        np.ones(len(values), np.bool_),
        dict(zip(keys.tolist(), names, strict=True)),
    )


def _of_mappings(X: Sequence[Any], learning: Learning) -> Samples:
    """Through the decoder of requests, so that a feature means what it means in the job."""
    decoder = sample_format("json", _FIELDS, learning)
    rows = []
    for number, features in enumerate(X):
        payload = orjson.dumps({"x": features}, option=orjson.OPT_SERIALIZE_NUMPY)
        request = decoder.decode_request(payload, 0, number)
        if request.row is None:
            raise ValueError(f"X[{number}]: {request.error}")
        rows.append(request.row)
    lengths = [len(row.keys) for row in rows]
    return _unlabelled(
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        np.concatenate([row.keys for row in rows]),
        np.concatenate([row.values for row in rows]),
        np.concatenate([row.numeric for row in rows]),
        rows[0].names,
    )


def _unlabelled(
    indptr: np.ndarray,
    keys: np.ndarray,
    values: np.ndarray,
    numeric: np.ndarray,
    names: Mapping[int, str],
) -> Samples:
    rows = len(indptr) - 1
    return Samples(
        indptr,
        keys,
        values,
        numeric,
        np.full(rows, np.nan),
        np.ones(rows),
        np.arange(rows, dtype=np.int64),
        names,
    )
