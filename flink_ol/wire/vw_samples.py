"""Samples as Vowpal Wabbit's text, one a message.

``label importance 'tag|space:scale name:value name ...|space ...``: the features of a namespace
are named ``space^name``, those of the namespace without a name by their own. A value is a number.
A name without a value counts 1 and, like a category of JSON, is never standardised, so that
``features.scale: none`` computes what VW computes. The scale of a namespace multiplies its values.
The tag is the record's id: the last word of the head, if it begins with an apostrophe or stands
right before the bar, as in VW. A request may leave label and importance out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flink_ol.core.fields import Section
from flink_ol.core.wording import shown
from flink_ol.wire.sparse_text import Head, SparseText, Word
from flink_ol.wire.text_values import encode_importance, not_finite, number, written

_MARKS = " \t\r\n:|"  # end a name


@dataclass(frozen=True, kw_only=True)
class VwFields(Section):
    """VW text has no settings."""


class VwSamples(SparseText):
    """Decodes and encodes the records of one job."""

    grammar = 1  # core.features.sparse_text.VW

    def read_head(self, text: str) -> Head:
        words = _split(text)
        tag = None
        if words and (words[-1][0] == "'" or text[-1] not in " \t\r"):
            tag = words.pop().removeprefix("'")
        if len(words) > 2:
            raise ValueError(
                f"{len(words)} words before the first bar; give label, importance and 'tag"
            )
        importance = encode_importance("importance", words[1]) if len(words) == 2 else 1.0
        return Head(words[0] if words else None, importance, tag or None)

    def read_words(self, text: str) -> tuple[str, list[Word]]:
        head, bar, body = text.partition("|")
        if not bar:
            raise ValueError("there is no bar; write: label |namespace feature:value ...")
        found = []
        for space in body.split("|"):
            named = space[:1] not in ("", " ", "\t", "\r")
            words = _split(space)
            prefix, scale = "", 1.0
            if named:
                name, colon, value = words.pop(0).partition(":")
                prefix = f"{name}^" if name else ""
                scale = _number(f"the scale of namespace {shown(name)}", value) if colon else 1.0
            found += [_feature(word, prefix, scale) for word in words]
        return head, found

    def encode(
        self, features: Mapping[str, Any] | Sequence[Any], label: Any = None, **parts: Any
    ) -> bytes:
        """A record; ``parts`` may be importance and id. ValueError for what VW cannot hold."""
        if not isinstance(features, Mapping):
            features = {str(i): value for i, value in enumerate(features)}
        spaces: dict[str, list[str]] = {}
        for name, value in features.items():
            if value is not None:
                space, caret, own = name.partition("^")
                if not (caret and space and own):
                    space, own = "", name
                spaces.setdefault(space, []).append(_written(own, value))
            if any(mark in name for mark in _MARKS):
                raise ValueError(f"feature {shown(name)}: VW's text cannot hold this name")
        body = "".join(f"|{space} {' '.join(words)}" for space, words in spaces.items()) or "|"
        return f"{_written_head(label, parts)}{body}".encode()


def _split(text: str) -> list[str]:
    return [word for word in text.replace("\t", " ").replace("\r", " ").split(" ") if word]


def _number(place: str, text: str) -> float:
    found = number(text)
    if found is None:
        wanted = "a finite number" if not_finite(text) else "a number"
        raise ValueError(f"{place} is {shown(text)}; give {wanted}")
    return found


def _feature(word: str, prefix: str, scale: float) -> Word:
    name, colon, value = word.partition(":")
    if not name:
        raise ValueError(f"{shown(word)}: the feature has no name")
    if not colon:
        return Word(prefix + name, scale, False)
    return Word(prefix + name, scale * _number(f"feature {shown(name)}", value), True)


def _written(name: str, value: Any) -> str:
    if not isinstance(value, str | bool):
        return f"{name}:{written(value)}"
    word = f"{name}={value if isinstance(value, str) else written(value)}"
    if any(mark in word for mark in _MARKS):
        raise ValueError(f"feature {shown(name)} is {shown(value)}: VW's text cannot hold it")
    return word


def _written_head(label: Any, parts: Mapping[str, Any]) -> str:
    if parts.get("time") is not None:
        raise ValueError("time: VW's text has no place for it")
    importance, identity = parts.get("importance"), parts.get("id")
    words = []
    if label is not None:
        words.append(label if isinstance(label, str) else written(label))
        if importance is not None:
            words.append(written(importance))
    elif importance is not None:
        raise ValueError("importance: VW's text has a place for it only after a label")
    if identity is not None:
        words.append(f"'{identity}")
    if any(not word or mark in word for word in words for mark in _MARKS):
        raise ValueError(f"label {shown(label)}, id {shown(identity)}: VW's text cannot hold them")
    return "".join(f"{word} " for word in words)
