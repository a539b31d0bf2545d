"""Words of text records as values: numbers, labels and importance, and why a word is none."""

from __future__ import annotations

import math
import re
from typing import Any

from flink_ol.core.labels import Labels
from flink_ol.core.wording import shown

MOST_BYTES = 1 << 20  # of one record

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_TRUTH = {"true": True, "True": True, "false": False, "False": False}
_NOT_FINITE = {"nan", "inf", "infinity"}


def record_text(payload: bytes | None) -> str:
    """The text of a record; ValueError that says why there is none."""
    if not payload:
        raise ValueError("the record is empty")
    if len(payload) > MOST_BYTES:
        raise ValueError(f"the record has {len(payload)} bytes, at most {MOST_BYTES} are read")
    try:
        return payload.decode()
    except UnicodeDecodeError as wrong:
        byte = payload[wrong.start]
        raise ValueError(
            f"not UTF-8 at byte {wrong.start} (0x{byte:02x}); send UTF-8, plain or in gzip or zstd"
        ) from None


def one_line(payload: bytes | None) -> str:
    """The text of a record of one line, without its end; ValueError where there are several."""
    text = record_text(payload).rstrip(" \t\r\n")
    if not text:
        raise ValueError("the record is empty")
    if "\n" in text:
        raise ValueError("the record has several lines; send one record a message")
    return text


def number(word: str) -> float | None:
    """The number that ``word`` is, maybe infinite; None if it is none. No nan, no 1_000."""
    return float(word) if _NUMBER.fullmatch(word) else None


def not_finite(word: str) -> bool:
    """Whether ``word`` is what programs write where a number is none: nan, -inf."""
    return word.lstrip("+-").lower() in _NOT_FINITE


def label_value(word: str) -> Any:
    """What JSON would have in place of ``word``: an integer, a number, a truth value, a text."""
    if _INTEGER.fullmatch(word):
        return int(word)
    found = number(word)
    return _TRUTH.get(word, word) if found is None else found


def encode_label(labels: Labels, word: str) -> float:
    """Class index, or target; ValueError that says what is allowed instead."""
    if word in labels.index:  # a class named by a text, whatever else the text may read as
        return labels.index[word]
    return labels.encode(label_value(word))


def encode_importance(place: str, word: str) -> float:
    """The importance weight; ValueError at ``place`` where it is none."""
    found = number(word)
    if found is None or not 0.0 < found < math.inf:
        raise ValueError(f"{place} is {shown(word)}; give a finite number above 0, or leave it out")
    return found


def written(value: Any) -> str:
    """A number or truth value as text that reads back as the same; ValueError for others."""
    if isinstance(value, bool):
        return str(value).lower()
    if hasattr(value, "item"):
        value = value.item()  # numpy's scalars
    if isinstance(value, int | float) and math.isfinite(value):
        return repr(value)
    raise ValueError(f"{shown(value)} is not a finite number")
