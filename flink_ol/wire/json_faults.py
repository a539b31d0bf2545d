"""Why a JSON record cannot be used, in words that say how to mend it.

Reasons stay short whatever the record holds: they travel in dead letters and answers.
"""

from __future__ import annotations

import math
from typing import Any

import orjson

from flink_ol.core.wording import shown
from flink_ol.wire.feature_rows import SCALARS

MOST_BYTES = 1 << 20  # of one record

_LITERALS = (b"NaN", b"Infinity")  # what other writers of JSON leave in it


def parse_record(payload: bytes | None) -> dict[str, Any]:
    """The record; ValueError that says why there is none."""
    if not payload:
        raise ValueError("the record is empty")
    if len(payload) > MOST_BYTES:
        raise ValueError(f"the record has {len(payload)} bytes, at most {MOST_BYTES} are read")
    try:
        record = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise ValueError(_syntax_fault(payload, error)) from None
    if not isinstance(record, dict):
        raise ValueError(f"the record is {shown(record)}; give a JSON object")
    return record


def _syntax_fault(payload: bytes, error: orjson.JSONDecodeError) -> str:
    try:
        rest = payload.decode()[error.pos :].encode()
    except UnicodeDecodeError as wrong:
        byte = payload[wrong.start]
        return f"not JSON: not UTF-8 at byte {wrong.start} (0x{byte:02x}); send UTF-8"
    for literal in _LITERALS:
        if rest.startswith(literal):
            at = f"{literal.decode()} at character {error.pos}"
            return f"not JSON: {at}, JSON has only finite numbers; leave the feature out"
    return f"not JSON: {error}"


def importance_fault(name: str, importance: Any) -> str | None:
    """Why ``importance`` cannot weigh a sample; None if it can."""
    number = isinstance(importance, int | float) and not isinstance(importance, bool)
    if number and math.isfinite(importance) and importance > 0:
        return None
    return (
        f"samples.fields.importance: {name!r} is {shown(importance)}; "
        "give a finite number above 0, or leave it out"
    )


def features_fault(row: dict[str, Any]) -> str | None:
    """Why the features of ``row`` cannot be used; None if they can."""
    for name, value in row.items():
        if type(value) not in SCALARS:
            return (
                f"feature {shown(name)} is {shown(value)}; "
                "give a number, a text, true, false or null"
            )
        if isinstance(value, float) and not math.isfinite(value):
            return f"feature {shown(name)} is {value!r}; give a finite number"
    return None
