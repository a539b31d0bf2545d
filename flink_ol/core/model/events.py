"""Events and effects of the model: what comes to it, and what it has to say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from flink_ol.core.messages import PACE_AT_FIRST, Entry, Frame, Pace, Request, Snapshot, Version
from flink_ol.core.model.state import LAG_BINS

_NO_LAGS = np.zeros(LAG_BINS, np.int64)


class EntryArrived(NamedTuple):
    entry: Entry


class RequestArrived(NamedTuple):
    request: Request


class PublishWeights(NamedTuple):
    frame: Frame


class PublishSnapshot(NamedTuple):
    """Put the snapshot on its topic and take the expired ones off."""

    snapshot: Snapshot
    expired: tuple[Version, ...]


class PublishMetrics(NamedTuple):
    """The prequential evaluation so far, at one version."""

    time_ms: int
    version: Version
    newest_ms: int  # largest Kafka timestamp among the samples
    samples: int  # learned
    rejected: int
    rate_scale: float
    workers: int
    features: int
    sums: Mapping[str, np.ndarray]
    command: Mapping[str, Any] | None
    recent: Mapping[str, np.ndarray] = {}  # Recent.to_arrays()
    overrides: Mapping[str, Any] = {}  # of settings, see core.tuning
    waiting: int | None = None  # features without weights yet; None: none has to wait
    expired: int | None = None  # features dropped so far; None: none is ever
    names: int = 0  # kept with the model
    collisions: int = 0  # of these, names that met an index with another name
    lags: np.ndarray = _NO_LAGS  # updates by how many versions they were behind, see ModelState
    pace: Pace = PACE_AT_FIRST
    of_round: Mapping[str, np.ndarray] = {}  # sums of the round alone, where there are rounds


class Answer(NamedTuple):
    """A prediction with the version it was made by, or the reason why there is none."""

    request: Request
    version: Version
    scores: np.ndarray | None  # (classes,) probabilities or (1,) value


Event = EntryArrived | RequestArrived
Effect = PublishWeights | PublishSnapshot | PublishMetrics | Answer
