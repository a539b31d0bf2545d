"""Which weights frame comes next: the whole model, or what changed since the frame before.

A frame of changes names the frame before it, its parent, and holds the numbers of the features
touched since, and the fixed arrays. It is right while all readers can be taken to have the parent,
and pays while the changes since the last whole frame come to fewer bytes than the model: so what
is sent, and what a reader keeps, is about twice what changed, and a reader that lost a frame is
mended by the next whole one. All of this follows from the log: every replica decides alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from flink_ol.core import rounded_frames
from flink_ol.core.messages import Version, Worker
from flink_ol.core.slot_set import SlotSet
from flink_ol.core.state import ArraySpec, Delta, State
from flink_ol.core.unadmitted import Counts

_SMALL_BYTES = 1 << 16  # a model of so many is not worth the trouble
_KEY_BYTES, _COUNT_BYTES = 8, 16
_CODE_BYTES = {"float16": 2, "int8": 1}


class Content(NamedTuple):
    """What a frame holds."""

    parent: Version | None  # None: the whole model
    values: Delta


@dataclass(slots=True)
class Frames:
    """What was touched since the last frame; a new one begins with a whole frame."""

    parent: Version | None = None  # the last frame; None: what it held no longer matters
    workers: tuple[Worker, ...] = ()  # to whom it went
    bytes_since_whole: int = 0
    touched: list[np.ndarray] = field(default_factory=list)  # slots, each once
    waiting: list[np.ndarray] = field(default_factory=list)  # keys of features without weights
    small_bytes: int = field(default_factory=lambda: _SMALL_BYTES)
    codes: Mapping[str, str] = field(default_factory=dict)  # see core.rounded_frames
    publishes: bool = True  # whether somebody sees the frames
    view: State | None = None  # what the trainers hold, where codes are lossy
    _held: SlotSet = field(default_factory=SlotSet)  # the slots in touched

    def touch(self, arrays: State, delta: Delta) -> None:
        """``delta`` was folded into ``arrays``."""
        if self.parent is None:
            return
        slots = arrays.slots(delta.keys)
        new = slots[~self._held.holds(slots)]
        self._held.add(new)
        self.touched.append(new)
        if delta.waiting is not None:
            self.waiting.append(delta.waiting.keys)

    def start_over(self) -> None:
        """The next frame is whole: rows moved, or more changed than was touched."""
        self._forget(None)

    def next(self, version: Version, workers: tuple[Worker, ...], arrays: State) -> Content:
        """What the frame of ``version`` to ``workers`` holds; copies."""
        parent = self.parent if workers == self.workers else None
        content = Content(None, whole(arrays)) if parent is None else self._changes(arrays)
        self.workers = workers
        self._forget(version)
        if content.parent is None:
            self.bytes_since_whole = 0
            if self.codes and self.publishes:
                values = content.values
                self.view = rounded_frames.view_of(
                    arrays.specs, self.codes, values.keys, values.arrays
                )
        else:
            self.bytes_since_whole += self._bytes(arrays.specs, content.values)
        return content

    def _changes(self, arrays: State) -> Content:
        """Of what was touched, or the whole where that is worth no more."""
        rows = sum(map(len, self.touched))
        fixed, row = sizes(arrays.specs)
        size = fixed + row * arrays.vocabulary.size
        fixed, row = sizes(arrays.specs, self.codes)
        if size <= self.small_bytes or self.bytes_since_whole + fixed + row * rows > size:
            return Content(None, whole(arrays))
        values = arrays.values(np.concatenate([np.empty(0, np.int64), *self.touched]))
        if self.waiting:
            keys = np.unique(np.concatenate(self.waiting))
            counts = arrays.waiting.of(keys)
            waits = counts > 0  # those that wait no longer are among the rows
            values = values._replace(waiting=Counts(keys[waits], counts[waits]))
        if self.view is not None:
            changes = rounded_frames.told(self.view, values, self.codes)
            return (
                Content(None, whole(arrays)) if changes is None else Content(self.parent, changes)
            )
        return Content(self.parent, values)

    def _bytes(self, specs: Sequence[ArraySpec], values: Delta) -> int:
        fixed, row = sizes(specs, self.codes)
        waiting = 0 if values.waiting is None else len(values.waiting.keys) * _COUNT_BYTES
        return fixed + row * len(values.keys) + waiting

    def _forget(self, parent: Version | None) -> None:
        for slots in self.touched:
            self._held.remove(slots)
        self.parent, self.touched, self.waiting = parent, [], []


def whole(arrays: State) -> Delta:
    """All rows and fixed arrays: copies; without the features that wait."""
    rows = {spec.name: arrays.rows(spec.name).copy() for spec in arrays.specs}
    return Delta(arrays.vocabulary.keys.copy(), rows)


def sizes(
    specs: Sequence[ArraySpec], codes: Mapping[str, str] = MappingProxyType({})
) -> tuple[int, int]:
    """Bytes of the fixed arrays, and of one feature with its key; of changes with ``codes``."""
    fixed, row = 0, _KEY_BYTES
    for spec in specs:
        each = np.dtype(spec.dtype).itemsize
        each = _CODE_BYTES[codes[spec.name]] if spec.name in codes else each
        size = int(np.prod(spec.shape, dtype=np.int64)) * each
        if spec.per_feature:
            row += size
        else:
            fixed += size
    return fixed, row
