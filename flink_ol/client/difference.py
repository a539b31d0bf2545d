"""What changed from one model to another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from flink_ol.client.explanation import outputs
from flink_ol.client.model import Model
from flink_ol.core.messages import Snapshot


def difference(first: Model, second: Model, top: int) -> dict[str, Any]:
    """Plain JSON: from the model ``first`` to ``second``, lists cut off after ``top``.

    ``distances`` are of whole arrays, feature by feature; one that a model does not have is 0.
    Raises ValueError where the two have different outputs.
    """
    if outputs(first) != outputs(second):
        raise ValueError("the models have different classes: their weights cannot be compared")
    pair = first, second
    names = [dict(zip(_keys(model), model.feature_names, strict=True)) for model in pair]
    added = [name for key, name in names[1].items() if key not in names[0]]
    removed = [name for key, name in names[0].items() if key not in names[1]]
    return {
        "models": [_brief(model) for model in pair],
        "settings": dict(_changed(first.learning.to_json(), second.learning.to_json())),
        "metrics": {name: [a, b] for name, (a, b) in _changed(first.metrics, second.metrics)},
        "features": {
            "count": [len(of) for of in names],
            "added": {"count": len(added), "names": added[:top]},
            "removed": {"count": len(removed), "names": removed[:top]},
        },
        "weights": _weights(first, second, names[0] | names[1], top),
        "intercept": [_plain(model, "intercept") for model in pair],
        "distances": _distances(first.snapshot, second.snapshot),
    }


def _keys(model: Model) -> list[int]:
    keys: list[int] = model.snapshot.frame.keys.tolist()
    return keys


def _brief(model: Model) -> dict[str, Any]:
    accounts = model.ledger.values()
    return {
        "job": model.job,
        "epoch": model.version.epoch,
        "version": model.version.number,
        "created_ms": model.snapshot.created_ms,
        "samples": sum(account.samples for account in accounts),
        "dead_letters": sum(account.dead_letters for account in accounts),
    }


def _plain(model: Model, name: str) -> list[float] | None:
    array = model.snapshot.frame.arrays.get(name)
    return None if array is None else array.ravel().tolist()


def _changed(a: Any, b: Any, key: str = "") -> Iterator[tuple[str, tuple[Any, Any]]]:
    """Leaves that differ, by their dotted keys."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        for name in dict.fromkeys([*a, *b]):
            yield from _changed(a.get(name), b.get(name), f"{key}.{name}" if key else str(name))
    elif a != b:
        yield key, (a, b)


def _weights(
    first: Model, second: Model, names: Mapping[int, str], top: int
) -> list[dict[str, Any]]:
    """The largest changes of weights."""
    if any("weights" not in model.snapshot.frame.arrays for model in (first, second)):
        return []
    keys, a, b = _aligned(first.snapshot, second.snapshot, "weights")
    a, b = a.reshape(len(keys), -1), b.reshape(len(keys), -1)
    strongest = np.argsort(-np.abs(b - a), axis=None, kind="stable")[:top]
    labels = outputs(first)
    return [
        {
            "name": names[int(keys[row])],
            **({"output": labels[column]} if len(labels) > 1 else {}),
            "before": float(a[row, column]),
            "after": float(b[row, column]),
            "change": float(b[row, column] - a[row, column]),
        }
        for row, column in zip(*np.unravel_index(strongest, a.shape), strict=True)
        if a[row, column] != b[row, column]
    ]


def _aligned(a: Snapshot, b: Snapshot, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All keys of both models, and the array's rows in each: 0 for a feature it does not have."""
    keys = np.union1d(a.frame.keys, b.frame.keys)
    found = []
    for snapshot in (a, b):
        array = snapshot.frame.arrays[name]
        rows = np.zeros((len(keys), *array.shape[1:]), array.dtype)
        rows[np.searchsorted(keys, snapshot.frame.keys)] = array
        found.append(rows)
    return keys, found[0], found[1]


def _distances(a: Snapshot, b: Snapshot) -> dict[str, dict[str, float]]:
    """Euclidean and largest distance of arrays that both have, and of the former the share."""
    found = {}
    for name, ours in a.frame.arrays.items():
        theirs = b.frame.arrays.get(name)
        if theirs is None or ours.shape[1:] != theirs.shape[1:]:
            continue
        if len(ours) == len(a.frame.keys) and len(theirs) == len(b.frame.keys):
            _, ours, theirs = _aligned(a, b, name)
        elif ours.shape != theirs.shape:
            continue
        change = np.subtract(theirs, ours, dtype=np.float64)
        length, before = float(np.linalg.norm(change)), float(np.linalg.norm(ours))
        found[name] = {
            "euclidean": length,
            "largest": float(np.abs(change).max(initial=0.0)),
            **({"share": length / before} if before else {}),
        }
    return found
