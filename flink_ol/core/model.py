"""The model: a deterministic fold over the log, equal on every replica, that answers requests.

A state machine without I/O and without a clock: all it knows of time stands in the entries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from flink_ol.core.evaluation import Recent, add_sums
from flink_ol.core.expiry import Touched
from flink_ol.core.frames import Content, Frames, whole
from flink_ol.core.learner import Learner
from flink_ol.core.ledger import Account, Ledger
from flink_ol.core.messages import (
    DIFFERENCE,
    GRADIENT,
    INITIAL,
    METRICS,
    PACE_AT_FIRST,
    SNAPSHOT,
    VALUES,
    WEIGHTS,
    WHOLE,
    Entry,
    Frame,
    Pace,
    Request,
    Snapshot,
    Update,
    Version,
    Worker,
)
from flink_ol.core.names import KeptNames
from flink_ol.core.quantisation import Numbers
from flink_ol.core.rounded_frames import Codes, codes_of
from flink_ol.core.state import State

LAG_BINS = 16
_NO_CODES: Codes = MappingProxyType({})
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


class Model:
    """``handle(state, event) -> effects`` for one learner.

    ``publishes``: whether this replica is the one that emits weights, snapshots and metrics.
    ``keep``: how many snapshots stay on the topic. ``numbers``: in which weights frames tell
    changes of parameters, see core.rounded_frames; None: exactly.
    """

    def __init__(
        self,
        learner: Learner,
        job: str,
        spec_hash: str,
        publishes: bool = True,
        keep: int = 10,
        numbers: Numbers | None = None,
    ) -> None:
        self.learner = learner
        self._names_kept = learner.learning.features.names_kept
        self._expires = learner.learning.features.expiry is not None
        self.keep = keep
        self.job = job
        self.spec_hash = spec_hash
        self.publishes = publishes
        self._codes = codes_of(learner, numbers)

    def initial(self, from_nothing: bool = False) -> ModelState:
        """Version 0, present before any sample: the learner's start, unless ``from_nothing``."""
        start = self.learner.start
        if start is None or from_nothing:
            names = KeptNames(self._names_kept)
            return ModelState(State(self.learner.specs), names, frames=self._frames())
        names = KeptNames(self._names_kept, start.names, start.others)
        return ModelState(self.learner.initial(), names, frames=self._frames())

    def _frames(self) -> Frames:
        return Frames(codes=self._codes, publishes=self.publishes)

    def handle(self, state: ModelState, event: Event) -> list[Effect]:
        """Take ``event`` into ``state`` (in place); what is to be done."""
        if isinstance(event, RequestArrived):
            return [self._answer(state, event.request)]
        entry = event.entry
        if entry.version <= state.version:
            raise AssertionError(
                f"entry {entry.version} after {state.version}: the log is out of order"
            )
        self._fold(state, entry)
        effects: list[Effect] = []
        if WEIGHTS in entry.publish:
            if WHOLE in entry.publish:
                state.frames.start_over()
            content = state.frames.next(entry.version, entry.workers, state.arrays)
            if self.publishes:
                effects.append(PublishWeights(self._frame(state, content, self._codes)))
        if SNAPSHOT in entry.publish:
            excess = len(state.kept) + 1 - self.keep
            expired, state.kept = state.kept[: max(0, excess)], state.kept[max(0, excess) :]
            if self.publishes:
                snapshot = self.snapshot(state, entry.time_ms)
                effects.append(PublishSnapshot(snapshot, tuple(expired)))
            state.kept.append(entry.version)
        if METRICS in entry.publish and self.publishes:
            effects.append(self.metrics(state, entry))
        return effects

    def _fold(self, state: ModelState, entry: Entry) -> None:
        state.version, state.workers = entry.version, entry.workers
        state.rate_scale = entry.rate_scale
        state.pace = entry.pace
        learner = self.learner.tuned(entry.overrides)
        if entry.overrides != state.overrides:
            state.overrides = entry.overrides
            learner.take_over(state.arrays)
            state.frames.start_over()
        updates = self._learn(state, entry, learner)
        for update in updates:
            self._account(state, update)
            if self._expires:
                slots = state.arrays.vocabulary.find(update.delta.keys)
                state.touched.touch(slots, entry.time_ms)
        for update in entry.updates:  # also where the step along them was taken back
            state.frames.touch(state.arrays, update.delta)
        if entry.expire_before_ms:
            self._expire(state, entry)

    def _expire(self, state: ModelState, entry: Entry) -> None:
        """Drop what was last touched too long ago; what stays has new slots."""
        arrays, size = state.arrays, state.arrays.vocabulary.size
        slots = state.touched.before(size, entry.expire_before_ms, entry.time_ms)
        keys = arrays.vocabulary.keys[slots]
        state.touched.keep(arrays.remove(keys))
        state.expired += len(keys)
        if len(keys):
            state.frames.start_over()
        for key in keys.tolist():
            state.names.drop(key)

    def _learn(self, state: ModelState, entry: Entry, learner: Learner) -> Sequence[Update]:
        """Take in the entry's updates; they, or their accounts alone where that led too far."""
        meaning = entry.updates[0].meaning if entry.updates else DIFFERENCE
        if meaning == GRADIENT:
            return _step(state, entry, learner)
        for update in entry.updates:
            if meaning == VALUES:
                learner.assign(state.arrays, update.delta)
            else:
                learner.merge(state.arrays, update.delta, entry.factor)
        return entry.updates

    def _account(self, state: ModelState, update: Update) -> None:
        """Take in what belongs to the samples of ``update`` beside what was learned."""
        lag = state.version.number - 1 - update.base.number
        if update.base.epoch == state.version.epoch:
            state.lags[min(lag.bit_length(), len(state.lags) - 1)] += 1
        state.acknowledged[update.partition] = update.sequence
        account = state.ledger.get(update.partition, Account())
        state.ledger[update.partition] = account.join(update.account)
        state.sums = add_sums(state.sums, update.sums)
        state.recent.take(update.sums, self.learner.evaluation)
        for key, name in update.names.items():
            state.names.keep(key, name)
        for key, names in update.others.items():
            for name in names:
                state.names.keep(key, name)
        state.newest_ms = max(state.newest_ms, update.newest_ms)

    def _answer(self, state: ModelState, request: Request) -> Answer:
        if request.row is None:
            return Answer(request, state.version, None)
        learner = self.learner.tuned(state.overrides)
        scores = learner.predict(learner.scores(state.arrays, request.row))[0]
        return Answer(request, state.version, np.atleast_1d(scores))

    def _frame(self, state: ModelState, content: Content, codes: Codes = _NO_CODES) -> Frame:
        parent, values = content
        return Frame(
            state.version,
            state.workers,
            dict(state.acknowledged),
            state.rate_scale,
            values.keys,
            values.arrays,
            state.pace,
            state.overrides,
            self.learner.waiting(state.arrays) if parent is None else values.waiting,
            parent,
            codes,
        )

    def snapshot(self, state: ModelState, created_ms: int) -> Snapshot:
        """The model with everything that belongs to it; :meth:`restored` is the inverse."""
        return Snapshot(
            self.job,
            self.spec_hash,
            self.learner.tuned(state.overrides).learning.to_json(),
            state.kept[-1] if state.kept else INITIAL,
            created_ms,
            self._frame(state, Content(None, whole(state.arrays))),
            dict(state.names.first),
            dict(state.ledger),
            {name: np.array(value) for name, value in state.sums.items()},
            state.newest_ms,
            tuple(state.kept),
            state.recent.to_arrays(),
            state.touched.content(state.arrays.vocabulary.size) if self._expires else None,
            state.expired,
            dict(state.names.others),
        )

    def restored(self, snapshot: Snapshot) -> ModelState:
        """The state that ``snapshot`` was taken of."""
        frame = snapshot.frame
        specs = self.learner.tuned(frame.overrides).specs
        arrays = State.of(specs, frame.keys, frame.arrays, frame.waiting)
        return ModelState(
            arrays,
            KeptNames(self._names_kept, snapshot.names, snapshot.others),
            frame.version,
            tuple(frame.workers),
            dict(frame.acknowledged),
            frame.rate_scale,
            dict(snapshot.ledger),
            dict(snapshot.sums),
            Recent.of_arrays(snapshot.recent),
            snapshot.newest_ms,
            list(snapshot.kept),
            frame.pace,
            frame.overrides,
            Touched(snapshot.touched_ms),
            snapshot.expired,
            self._frames(),
        )

    def metrics(self, state: ModelState, entry: Entry) -> PublishMetrics:
        """What is to be told about the model after ``entry``."""
        accounts = state.ledger.values()
        round_sums: dict[str, np.ndarray] = {}
        for update in entry.updates if state.pace.round else ():
            round_sums = add_sums(round_sums, update.sums)
        return PublishMetrics(
            entry.time_ms,
            state.version,
            state.newest_ms,
            sum(account.samples for account in accounts),
            sum(account.dead_letters for account in accounts),
            state.rate_scale,
            len(state.workers),
            state.arrays.vocabulary.size,
            {name: np.array(value) for name, value in state.sums.items()},
            entry.command,
            state.recent.to_arrays(),
            state.overrides,
            self.learner.waiting_count(state.arrays),
            state.expired if self._expires else None,
            len(state.names),
            state.names.collisions,
            state.lags.copy(),
            state.pace,
            round_sums,
        )


def _step(state: ModelState, entry: Entry, learner: Learner) -> Sequence[Update]:
    """One step along the entry's gradients, or none if it leads out of the finite numbers."""
    gradients = [update.delta for update in entry.updates]
    keys = np.concatenate([delta.keys for delta in gradients])
    before = state.arrays.values(state.arrays.slots(keys))
    touched = learner.step(state.arrays, gradients, entry.divisor, entry.rate_scale)
    if state.arrays.values(touched).finite():
        return entry.updates
    state.arrays.assign(before)
    return [update.without_delta() for update in entry.updates]
