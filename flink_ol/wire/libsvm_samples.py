"""Samples as LIBSVM text, one a message: ``label index:value index:value ... # comment``.

Indices are names: ``3:1`` is the feature "3", as in a list of JSON, where the first is "0". They
may stand in any order. A request may leave the label out. Importance, ids and times have no place
in this format; a ``qid`` is refused, because ranking is not learned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flink_ol.core.fields import Section
from flink_ol.core.wording import shown
from flink_ol.wire.sparse_text import Head, SparseText, Word
from flink_ol.wire.text_values import not_finite, number, written


@dataclass(frozen=True, kw_only=True)
class LibsvmFields(Section):
    """LIBSVM text has no settings."""


class LibsvmSamples(SparseText):
    """Decodes and encodes the records of one job."""

    grammar = 0  # core.features.sparse_text.LIBSVM

    def read_head(self, text: str) -> Head:
        return Head(text or None, 1.0, None)

    def read_words(self, text: str) -> tuple[str, list[Word]]:
        words = text.partition("#")[0].replace("\t", " ").replace("\r", " ").split(" ")
        words = [word for word in words if word]
        if not words:
            raise ValueError("the record holds only a comment")
        label = "" if ":" in words[0] else words.pop(0)
        return label, [_feature(word) for word in words]

    def encode(
        self, features: Mapping[str, Any] | Sequence[Any], label: Any = None, **parts: Any
    ) -> bytes:
        """A record; ValueError for what the format has no place for."""
        for part, value in parts.items():
            if value is not None and not (part == "importance" and value == 1):
                raise ValueError(f"{part}: LIBSVM text has no place for it")
        if not isinstance(features, Mapping):
            features = {str(i): value for i, value in enumerate(features)}
        words = [] if label is None else [_written_label(label)]
        for name, value in features.items():
            if not (name.isascii() and name.isdigit()):
                raise ValueError(f"feature {shown(name)}: LIBSVM text has only integers as names")
            if isinstance(value, bool | str):
                raise ValueError(f"feature {name} is {shown(value)}: LIBSVM text has only numbers")
            if value is not None:
                words.append(f"{name}:{written(value)}")
        return " ".join(words).encode()


def _written_label(label: Any) -> str:
    text = label if isinstance(label, str) else written(label)
    if not text or any(mark in text for mark in " \t\r\n:#"):
        raise ValueError(f"label {shown(label)}: LIBSVM text cannot hold it")
    return text


def _feature(word: str) -> Word:
    name, colon, value = word.partition(":")
    if not colon:
        raise ValueError(f"{shown(word)} is no feature; write index:value")
    if name == "qid":
        raise ValueError("qid: ranking is not learned; leave it out")
    if not (name.isascii() and name.isdigit()):
        raise ValueError(f"{shown(word)}: the index is no integer of digits alone")
    found = number(value)
    if found is None:
        wanted = "a finite number" if not_finite(value) else "a number"
        raise ValueError(f"feature {shown(name)} is {shown(value)}; give {wanted}")
    return Word(name, found, True)
