"""Features made of features: what a sample has beside what stands in the record.

The words of texts first, then crosses, of words too. All of it by names, and so the same for every
format; ``hash_bits`` come last: which names meet in one key must not decide what is crossed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from flink_ol.core.features.appending import with_entries
from flink_ol.core.features.crossing import Crossing
from flink_ol.core.features.text import TextField, Texts
from flink_ol.core.names import HashedNames
from flink_ol.core.samples import Rejection, Samples
from flink_ol.core.vocabulary import Vocabulary

_REMEMBERED = 1 << 20  # names; then they are forgotten


class Expansion:
    """Samples to samples; takes keys of 64 bits, gives keys of ``hash_bits``."""

    def __init__(
        self,
        text: Sequence[TextField],
        crosses: Sequence[str],
        hash_bits: int | None,
        names_told: int = sys.maxsize,
    ) -> None:
        """``names_told``: under ``hash_bits``, the most names that the model hears of."""
        self._texts = Texts(text) if text else None
        self._crossing = Crossing(crosses) if crosses else None
        self._mask = None if hash_bits is None else (1 << hash_bits) - 1
        self._known = Vocabulary()  # keys of 64 bits whose names are below
        self._names_told = names_told
        self._names = HashedNames(names_told)

    def __call__(
        self, samples: Samples, before: Sequence[Rejection] = ()
    ) -> tuple[Samples, list[Rejection]]:
        """The expanded samples, and those that cannot be expanded.

        ``before``: rejections of the same records, which tell what rows are missing.
        """
        rejections: list[Rejection] = []
        if self._texts is not None:
            samples = self._texts(samples)
        if self._crossing is not None:
            samples, rejections = self._crossing(samples, before)
        return samples if self._mask is None else self._hashed(samples, self._mask), rejections

    def _hashed(self, samples: Samples, mask: int) -> Samples:
        if self._known.size > _REMEMBERED:
            self._known, self._names = Vocabulary(), HashedNames(self._names_told)
        before = self._known.size
        # once the model heard of enough, only values of fields have names that anyone asks for
        told = self._names.all_told
        self._known.add(samples.keys[~samples.numeric] if told else samples.keys)
        for key in self._known.keys[before:].tolist():
            self._names.meet(key & mask, samples.names[key])
        entries = samples.keys & mask, samples.values, samples.numeric
        return with_entries(samples, samples.indptr, *entries, self._names)
