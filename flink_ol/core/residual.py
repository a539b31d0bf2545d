"""What a partition's trainer has learned and not told yet, see core.lossy; kept with its state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from flink_ol.core.frames import whole
from flink_ol.core.learner import Learner
from flink_ol.core.lossy import Coded, Compression, lossy, lossy_names
from flink_ol.core.state import ArraySpec, Delta, State


class Change(NamedTuple):
    """Rows of a residual from now on; or, of a whole one, all of them."""

    rows: Delta  # numbers, not differences
    undo: Delta | None = None  # what they were, where the update may be refused


@dataclass(slots=True)
class Residual:
    """One partition's."""

    rows: State
    undo: Delta | None = None  # takes back the last change

    def take(self, change: Change) -> None:
        """Set the rows of ``change``."""
        self.rows.assign(change.rows)
        self.undo = change.undo

    def whole(self) -> Change:
        """All rows, copies: what a stored residual begins with."""
        return Change(whole(self.rows), self.undo)


class Lossy:
    """Makes of deltas what is sent, for one learner."""

    def __init__(self, learner: Learner, settings: Compression, gradients: bool) -> None:
        self._specs, self._settings = learner.specs, settings
        self._names = lossy_names(learner.specs, learner.parameters, gradients)
        self.codes: Mapping[str, str] = dict.fromkeys(sorted(self._names), settings.code)

    def restored(self, changes: Iterable[Change]) -> Residual:
        """The residual after ``changes``; empty after none."""
        residual = Residual(State(self._declared()))
        for change in changes:
            residual.take(change)
        return residual

    def _declared(self) -> tuple[ArraySpec, ...]:
        return tuple(
            spec._replace(initial=None, merge="sum")
            for spec in self._specs
            if spec.name in self._names
        )

    def send(
        self, residual: Residual, delta: Delta, known: np.ndarray, undoable: bool
    ) -> tuple[Coded, Change]:
        """What is sent of ``delta``, and how ``residual`` has changed by it (in place).

        ``known`` (features,) bool: see :func:`flink_ol.core.lossy.lossy`. ``undoable``: the update
        may be refused, and its samples are learned from again.
        """
        before = residual.rows.values(residual.rows.slots(delta.keys))
        coded = lossy(self._specs, self._names, delta, before.arrays, self._settings, known)
        change = Change(Delta(delta.keys, coded.residual), before if undoable else None)
        residual.take(change)
        return coded, change


def undone(residual: Residual) -> Sequence[Change]:
    """Take back the last change: the change that does it; none where there is nothing to undo."""
    if residual.undo is None:
        return ()
    change = Change(residual.undo)
    residual.take(change)
    return (change,)
