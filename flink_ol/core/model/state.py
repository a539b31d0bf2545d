"""What a replica of the model holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from flink_ol.core.evaluation import Recent
from flink_ol.core.expiry import Touched
from flink_ol.core.frames import Frames
from flink_ol.core.ledger import Ledger
from flink_ol.core.messages import INITIAL, PACE_AT_FIRST, Pace, Version, Worker
from flink_ol.core.names import KeptNames
from flink_ol.core.state import State

LAG_BINS = 16


@dataclass(slots=True)
class ModelState:
    """The model at one version; consumed and updated by ``Model.handle``."""

    arrays: State
    names: KeptNames
    version: Version = INITIAL
    workers: tuple[Worker, ...] = ()
    acknowledged: dict[int, int] = field(default_factory=dict)  # partition -> update's sequence
    rate_scale: float = 1.0
    ledger: Ledger = field(default_factory=dict)
    sums: dict[str, np.ndarray] = field(default_factory=dict)
    recent: Recent = field(default_factory=Recent)
    newest_ms: int = 0
    kept: list[Version] = field(default_factory=list)  # snapshots on the topic, oldest first
    pace: Pace = PACE_AT_FIRST
    overrides: Mapping[str, Any] = field(default_factory=dict)  # of settings, see core.tuning
    touched: Touched = field(default_factory=Touched)  # where features expire
    expired: int = 0  # features dropped so far
    frames: Frames = field(default_factory=Frames)
    # updates by the versions between the model they were computed on and the one they met: none,
    # 1, 2 to 3, 4 to 7, ...; since this replica was restored
    lags: np.ndarray = field(default_factory=lambda: np.zeros(LAG_BINS, np.int64))
