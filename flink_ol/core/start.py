"""A model to begin with: what of a snapshot a new job takes over.

Parameters, the optimizer's state, statistics of features and their names; no ledger, no
evaluation and no version, which belong to the job that learned it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from flink_ol.core.messages import Snapshot
from flink_ol.core.state import ArraySpec, State
from flink_ol.core.unadmitted import Counts


class Start(NamedTuple):
    """The arrays of version 0 of a job that does not begin from nothing."""

    keys: np.ndarray  # (features,) int64
    arrays: Mapping[str, np.ndarray]  # per feature: (features, *shape); fixed: shape
    names: Mapping[int, str]  # feature key -> name
    waiting: Counts | None = None  # features that have no weights yet
    others: Mapping[int, tuple[str, ...]] = {}  # further names of an index of hash_bits

    def state(self, specs: tuple[ArraySpec, ...]) -> State:
        """A new state with these arrays."""
        return State.of(specs, self.keys, self.arrays, self.waiting)


def start_of(snapshot: Snapshot) -> Start:
    """What a job takes over of ``snapshot``; core.compatibility.misfits says whether it can."""
    frame = snapshot.frame
    return Start(
        frame.keys,
        dict(frame.arrays),
        dict(snapshot.names),
        frame.waiting,
        dict(snapshot.others),
    )
