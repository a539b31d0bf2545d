"""The model's state machine, without I/O: folds entries, publishes, and answers requests."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from flink_ol.core.evaluation import Recent, add_sums
from flink_ol.core.expiry import Touched
from flink_ol.core.frames import Content, Frames, whole
from flink_ol.core.learner import Learner
from flink_ol.core.messages import (
    INITIAL,
    METRICS,
    SNAPSHOT,
    WEIGHTS,
    WHOLE,
    Entry,
    Frame,
    Request,
    Snapshot,
)
from flink_ol.core.model.events import (
    Answer,
    Effect,
    Event,
    PublishMetrics,
    PublishSnapshot,
    PublishWeights,
    RequestArrived,
)
from flink_ol.core.model.fold import expires, fold
from flink_ol.core.model.state import ModelState
from flink_ol.core.names import KeptNames
from flink_ol.core.quantisation import Numbers
from flink_ol.core.rounded_frames import Codes, codes_of
from flink_ol.core.state import State

_NO_CODES: Codes = MappingProxyType({})


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
        self._expires = expires(learner)
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
        fold(self.learner, state, entry)
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

    def take_over(self, state: ModelState) -> None:
        """Go on with the state of a model of other settings, in place."""
        self.learner.tuned(state.overrides).take_over(state.arrays)
        state.names = KeptNames(self._names_kept, state.names.first, state.names.others)

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
