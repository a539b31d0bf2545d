"""The named arrays of a model, and differences of them.

Every array is declared once, by the part that owns it (family, optimizer, scaler, baseline), with
its shape, its initial value and its merge rule. What follows from that is generic: growing,
differencing, merging and storing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from flink_ol.core.merging import MERGES
from flink_ol.core.unadmitted import Counts, Waiting
from flink_ol.core.vocabulary import Vocabulary

_FIRST_CAPACITY = 16


class ArraySpec(NamedTuple):
    """Declaration of one array: ``(slots, *shape)`` if per feature, else ``shape``."""

    name: str
    shape: tuple[int, ...]
    merge: str  # a key of core.merging.MERGES
    per_feature: bool = True
    dtype: str = "float64"
    # rows for new feature keys (keys,) -> (keys, *shape), or the whole fixed array () -> shape;
    # None: zeros. Depends on nothing but its argument and the seed, so that replicas agree.
    initial: Callable[..., np.ndarray] | None = None


def together(slots: np.ndarray) -> np.ndarray | slice:
    """``slots`` (rows,) as a slice where they follow each other, as those of a fixed layout do.

    Rows that stand together are read and written where they are, without gathering them.
    """
    count = len(slots)
    if not count or slots[-1] - slots[0] != count - 1 or not (np.diff(slots) == 1).all():
        return slots
    return slice(int(slots[0]), int(slots[0]) + count)


class Delta(NamedTuple):
    """Rows of some features and the fixed arrays.

    Differences in the sense of each array's merge rule (what a shard learned), or the numbers
    themselves (``State.values``).
    """

    keys: np.ndarray  # (touched,) int64, feature keys, distinct
    arrays: Mapping[str, np.ndarray]  # per feature: (touched, *shape); fixed: shape
    waiting: Counts | None = None  # met, but not admitted yet: no rows above

    def finite(self) -> bool:
        """Whether every number is finite."""
        return all(bool(np.isfinite(array).all()) for array in self.arrays.values())


NOTHING = Delta(np.empty(0, np.int64), {})


class State:
    """Arrays of one replica; rows of per-feature arrays are slots of its vocabulary.

    Per-feature arrays have spare rows: use ``rows(name)`` for those in use, ``arrays[name]`` in
    kernels that index by slot.
    """

    __slots__ = ("arrays", "specs", "vocabulary", "waiting")

    def __init__(self, specs: tuple[ArraySpec, ...], keys: np.ndarray | None = None) -> None:
        self.specs = specs
        self.vocabulary = Vocabulary(keys)
        self.waiting = Waiting()
        capacity = max(_FIRST_CAPACITY, self.vocabulary.size)
        self.arrays: dict[str, np.ndarray] = {}
        for spec in specs:
            if spec.per_feature:
                self.arrays[spec.name] = np.zeros((capacity, *spec.shape), spec.dtype)
                self._initialise(spec, 0)
            elif spec.initial is not None:
                self.arrays[spec.name] = np.array(spec.initial(), spec.dtype)
            else:
                self.arrays[spec.name] = np.zeros(spec.shape, spec.dtype)

    @classmethod
    def of(
        cls,
        specs: tuple[ArraySpec, ...],
        keys: np.ndarray,
        arrays: Mapping[str, np.ndarray],
        waiting: Counts | None = None,
    ) -> State:
        """The state with these rows, in the order of ``keys`` (features,), and fixed arrays.

        Arrays that are not among ``arrays`` are as they begin.
        """
        state = cls(specs, keys)
        for name, array in arrays.items():
            state.rows(name)[...] = array
        state.waiting = Waiting(waiting)
        return state

    def _initialise(self, spec: ArraySpec, start: int) -> None:
        size = self.vocabulary.size
        if spec.initial is not None and size > start:
            self.arrays[spec.name][start:size] = spec.initial(self.vocabulary.keys[start:size])

    def rows(self, name: str) -> np.ndarray:
        """The array's rows in use (per feature), or the whole array (fixed): a view."""
        return (
            self.arrays[name][: self.vocabulary.size]
            if self._spec(name).per_feature
            else (self.arrays[name])
        )

    def _spec(self, name: str) -> ArraySpec:
        return next(spec for spec in self.specs if spec.name == name)

    def slots(self, keys: np.ndarray) -> np.ndarray:
        """Slots of ``keys``, new ones appended in order of appearance: (keys,) int64."""
        slots = self.vocabulary.find(keys)
        if len(slots) and slots.min() < 0:
            before = self.vocabulary.size
            self.vocabulary.add(keys)
            self._grow(before)
            slots = self.vocabulary.find(keys)
        return slots

    def _grow(self, before: int) -> None:
        size = self.vocabulary.size
        for spec in self.specs:
            if not spec.per_feature:
                continue
            array = self.arrays[spec.name]
            if size > len(array):
                grown = np.zeros((max(size, 2 * len(array)), *spec.shape), spec.dtype)
                grown[:before] = array[:before]
                self.arrays[spec.name] = grown
            self._initialise(spec, before)

    def respecify(self, specs: tuple[ArraySpec, ...]) -> None:
        """Go on by ``specs`` of the same layout; derived arrays are made anew where drawn by key.

        What follows from other arrays is left to the owner, as in :meth:`merge`.
        """
        if [spec._replace(initial=None) for spec in specs] != [
            spec._replace(initial=None) for spec in self.specs
        ]:
            raise AssertionError("the settings change the layout of the arrays")
        self.specs = specs
        for spec in specs:
            if spec.merge == "derived" and spec.per_feature:
                self._initialise(spec, 0)

    def copy(self) -> State:
        """An independent twin."""
        twin = State.__new__(State)
        twin.specs, twin.vocabulary = self.specs, self.vocabulary.copy()
        twin.waiting = self.waiting.copy()
        twin.arrays = {name: array.copy() for name, array in self.arrays.items()}
        return twin

    def values(self, slots: np.ndarray) -> Delta:
        """The rows ``slots`` (rows,) int64, distinct, and all fixed arrays, as they stand: copies.

        :meth:`assign` is the inverse; derived arrays are among them.
        """
        rows = together(slots)
        arrays = {}
        for spec in self.specs:
            array = self.arrays[spec.name]
            if not spec.per_feature:
                arrays[spec.name] = array.copy()
            else:  # what indices pick is a copy already
                arrays[spec.name] = array[rows].copy() if isinstance(rows, slice) else array[rows]
        return Delta(self.vocabulary.keys[slots], arrays)

    def assign(self, delta: Delta) -> np.ndarray:
        """Set the rows of ``delta.keys`` and the fixed arrays, in place; the touched slots.

        ``delta`` holds numbers, not differences. New keys get their slots; arrays that it does
        not speak of stay as they are, for new keys as they begin.
        """
        slots = self.slots(delta.keys)
        rows = together(slots)
        for spec in self.specs:
            if spec.name in delta.arrays:
                where = rows if spec.per_feature else ...
                self.arrays[spec.name][where] = delta.arrays[spec.name]
        return slots

    def merge(self, delta: Delta, factor: float) -> np.ndarray:
        """Add ``delta`` by each array's merge rule, in place; the touched slots.

        ``factor`` is the weight of differences that are averaged (1: in full). Arrays with the
        rule ``derived`` are left alone: their owner refreshes them (Learner.merge).
        """
        slots = self.slots(delta.keys)
        rows = together(slots)
        for spec in self.specs:
            rule = MERGES[spec.merge]
            if rule is None or spec.name not in delta.arrays:
                continue
            array, difference = self.arrays[spec.name], delta.arrays[spec.name]
            if spec.per_feature:
                array[rows] = rule(array[rows], difference, factor)
            else:
                array[...] = rule(array, difference, factor)
        self.count(delta)
        return slots

    def count(self, delta: Delta) -> None:
        """Count the features of ``delta`` that wait, in place; those with rows wait no longer."""
        self.waiting.clear(delta.keys)
        if delta.waiting is not None:
            self.waiting.add(self._without_rows(delta.waiting))

    def recount(self, delta: Delta) -> None:
        """Like :meth:`count`, where ``delta`` holds the counts themselves."""
        self.waiting.clear(delta.keys)
        if delta.waiting is not None:
            self.waiting.set(self._without_rows(delta.waiting))

    def _without_rows(self, met: Counts) -> Counts:
        waits = self.vocabulary.find(met.keys) < 0
        return Counts(met.keys[waits], met.counts[waits])

    def remove(self, keys: np.ndarray) -> np.ndarray:
        """Drop the rows of ``keys``, in place; which rows stayed, in order: (rows,) int64.

        The others move up and so have new slots; unknown keys are passed over.
        """
        slots = self.vocabulary.find(keys)
        stays = np.ones(self.vocabulary.size, np.bool_)
        stays[slots[slots >= 0]] = False
        kept = np.flatnonzero(stays)
        if len(kept) == len(stays):
            return kept
        self.vocabulary = Vocabulary(self.vocabulary.keys[kept])
        capacity = max(_FIRST_CAPACITY, len(kept))
        for spec in self.specs:
            if spec.per_feature:
                array = np.zeros((capacity, *spec.shape), spec.dtype)
                array[: len(kept)] = self.arrays[spec.name][kept]
                self.arrays[spec.name] = array
        return kept
