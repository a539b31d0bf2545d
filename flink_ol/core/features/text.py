"""Words of texts: a category ``review=Good, very good`` becomes features of its words.

Of a field ``f`` they are ``f~good`` for a word, ``f~very good`` for words that follow each other
and ``f~~ood`` for characters; the value is how often it stands in the text. They are categories and
never scaled: that a word is absent is no zero that a mean could be taken over. The text's own
feature is dropped: it would be met once and never again.
"""

from __future__ import annotations

import re
from collections import ChainMap, Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Annotated

import numpy as np
from annotated_types import Ge, Le

from flink_ol.core.features.appending import appended, without_entries
from flink_ol.core.features.hashing import feature_key
from flink_ol.core.fields import ConfigError, Section
from flink_ol.core.samples import Samples
from flink_ol.core.vocabulary import Vocabulary

_WORD = re.compile(r"\w+(?:['’]\w+)*")
_REMEMBERED = 1 << 20  # features and words; then everything is forgotten


@dataclass(frozen=True, kw_only=True)
class TextField(Section):
    """A field whose values are texts, and what is taken out of them."""

    field: str
    """Its name; in the text formats it may have a namespace: ns^field."""
    words: Annotated[int, Ge(0), Le(5)] = 1
    """Features of 1 to this many words in a row; 0: of none."""
    skips: Annotated[int, Ge(0), Le(4)] = 0
    """How many words may be left out between the words of one feature, all together."""
    characters: Annotated[int, Ge(0), Le(10)] = 0
    """Features of this many characters in a row, runs of blanks being one; 0: none."""
    lowercase: bool = True
    """Whether Good and good are one word."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.field:
            raise ConfigError("field", self.field, "a field's name")
        if not (self.words or self.characters):
            raise ConfigError("words", 0, "at least 1 where characters is 0: nothing would be left")


def counted(text: str, settings: TextField) -> Counter[str]:
    """How often each feature stands in ``text``; the names lack ``field~``."""
    if settings.lowercase:
        text = text.lower()
    found: Counter[str] = Counter()
    if settings.words:
        words = _WORD.findall(text)
        found.update(words)
        for length in range(2, settings.words + 1):
            found.update(_in_a_row(words, length, settings.skips))
    if settings.characters:
        whole, length = " ".join(text.split()), settings.characters
        found.update("~" + whole[i : i + length] for i in range(len(whole) - length + 1))
    return found


def _in_a_row(words: Sequence[str], length: int, skips: int) -> Iterator[str]:
    """Every choice of ``length`` words in their order that leaves out at most ``skips``."""
    if not skips:
        return map(" ".join, zip(*(words[i:] for i in range(length)), strict=False))
    return (
        " ".join((words[first], *rest))
        for first in range(len(words))
        for rest in combinations(words[first + 1 : first + length + skips], length - 1)
    )


class Texts:
    """Puts the words of texts in the place of the texts; remembers names, not samples."""

    def __init__(self, fields: Sequence[TextField]) -> None:
        self._fields = {field.field: field for field in fields}
        self._forget()

    def _forget(self) -> None:
        self._others = Vocabulary()  # features met that are no texts
        self._keys: dict[str, int] = {}
        self._names: dict[int, str] = {}

    def __call__(self, samples: Samples) -> Samples:
        """``samples`` with words instead of texts."""
        if len(self._names) + self._others.size > _REMEMBERED:
            self._forget()
        unknown = np.flatnonzero((self._others.find(samples.keys) < 0) & ~samples.numeric)
        texts = np.zeros(len(samples.keys), np.bool_)
        others: list[int] = []
        sizes = np.zeros(len(samples), np.int64)
        keys: list[int] = []
        counts: list[int] = []
        rows = np.searchsorted(samples.indptr, unknown, "right") - 1
        for entry, row in zip(unknown.tolist(), rows.tolist(), strict=True):
            key = int(samples.keys[entry])
            settings, text = self._split(samples.names[key])
            if settings is None:
                others.append(key)
                continue
            texts[entry] = True
            found = counted(text, settings)
            sizes[row] += len(found)
            keys += (self._key(f"{settings.field}~{word}") for word in found)
            counts += found.values()
        self._others.add(np.array(others, np.int64))
        if not texts.any():
            return samples
        names: ChainMap[int, str] = ChainMap(self._names, samples.names)  # type: ignore[arg-type]
        added = (
            np.array(keys, np.int64),
            np.array(counts, np.float64),
            np.zeros(len(keys), np.bool_),
        )
        return appended(without_entries(samples, texts), sizes, *added, names)

    def _split(self, name: str) -> tuple[TextField | None, str]:
        """The settings and the text of a category of one of the fields; None of another."""
        at = name.find("=")
        while at >= 0:
            if name[:at] in self._fields:
                return self._fields[name[:at]], name[at + 1 :]
            at = name.find("=", at + 1) if any("=" in field for field in self._fields) else -1
        return None, ""

    def _key(self, name: str) -> int:
        key = self._keys.get(name)
        if key is None:
            key = self._keys[name] = feature_key(name)
            self._names[key] = name
        return key
