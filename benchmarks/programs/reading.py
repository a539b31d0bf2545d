"""Records as plain Python: what a user of a library that takes dictionaries would write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

Sample = tuple[Any, int]  # features by name, or a list of numbers; label


def reader(encoding: str) -> Callable[[bytes], Sample]:
    """Of JSON or Vowpal Wabbit's text."""
    return {"json": _json, "vw": _vw}[encoding]


def _json(record: bytes) -> Sample:
    sample = orjson.loads(record)
    return sample["x"], sample["y"]


def _vw(record: bytes) -> Sample:
    label, _, text = record.decode().partition(" | ")
    features: dict[str, Any] = {}
    for word in text.split(" "):
        name, colon, value = word.partition(":")
        if colon:
            features[name] = float(value)
        else:
            field, equals, category = name.partition("=")
            features[field] = category if equals else 1
    return features, int(label == "1")
