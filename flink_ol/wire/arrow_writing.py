"""Samples to Arrow messages, as arrow_samples reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa


def encode_rows(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """One message of ``rows``, each by the names of columns; what a row lacks is null.

    ValueError where the values of a column do not go together.
    """
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {}
    for name in names:
        values = [row.get(name) for row in rows]
        try:
            columns[name] = _column(values)
        except (pa.ArrowException, OverflowError) as error:
            raise ValueError(f"column {name!r}: {str(error)[:200]}") from None
    return _message(columns, len(rows))


def encode_matrix(
    X: np.ndarray,
    label: np.ndarray | None,
    importance: np.ndarray | None,
    fields: Any,
    names: Sequence[str] | None = None,
) -> bytes:
    """One message of the rows of ``X`` (samples, features), images (samples, ...); NaN is absent.

    ``label`` and ``importance`` (samples,); ``names``: of the columns, else "0", "1", ....
    """
    X = np.asarray(X)
    X = X.reshape(len(X), -1)
    columns: dict[str, Any] = {}
    absent = np.isnan(X) if X.dtype.kind == "f" else np.zeros((0, 0), np.bool_)
    masked = bool(absent.any())
    if names is None:
        mask = np.ascontiguousarray(absent).ravel() if masked else None
        items = pa.array(np.ascontiguousarray(X).ravel(), mask=mask)
        columns[fields.features] = pa.FixedSizeListArray.from_arrays(items, X.shape[1])
    else:
        for j, name in enumerate(names):
            mask = absent[:, j] if masked else None
            columns[name] = pa.array(np.ascontiguousarray(X[:, j]), mask=mask)
    if label is not None:
        columns[fields.label] = pa.array(label)
    if importance is not None:
        columns[fields.importance] = pa.array(np.asarray(importance, np.float64))
    return _message(columns, len(X))


def _column(values: list[Any]) -> Any:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int, float}:
        return pa.array([None if value is None else float(value) for value in values])
    if kinds == {np.ndarray} or kinds <= {list, tuple}:
        return pa.array(values)
    if kinds == {int}:
        try:
            return pa.array(values, pa.int64())
        except OverflowError:
            return pa.array([None if value is None else float(value) for value in values])
    return pa.array(values)


def _message(columns: Mapping[str, Any], rows: int) -> bytes:
    if not columns:
        columns = {"": pa.nulls(rows)}  # rows need a column to be counted by
    return encode_batch(pa.RecordBatch.from_arrays(list(columns.values()), list(columns)))


def encode_batch(batch: pa.RecordBatch) -> bytes:
    """One message of the rows of ``batch``."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    data: bytes = sink.getvalue().to_pybytes()
    return data
