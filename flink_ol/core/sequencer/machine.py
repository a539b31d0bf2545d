"""The sequencer's state machine, without I/O: what every mode's sequencer does.

It gives every entry its version and its factors, decides when weights, snapshots and metrics are
published, and answers every trainer's hello. It holds no parameters of the model.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from flink_ol.core.config import ConfigError, Learning
from flink_ol.core.expiry import cut_off
from flink_ol.core.frame_rate import FrameRate
from flink_ol.core.messages import METRICS, SNAPSHOT, WEIGHTS, WHOLE, Entry, Update, Version, Worker
from flink_ol.core.sequencer.events import (
    Append,
    CommandArrived,
    CommandRefused,
    Effect,
    Event,
    HelloArrived,
    UpdateArrived,
    UpdateSpoilt,
    WakeMe,
)
from flink_ol.core.sequencer.state import SequencerState
from flink_ol.core.tuning import changed, fitting


class Sequencer(ABC):
    """``handle(state, event, now_ms) -> effects``; a mode says how updates are ordered."""

    def __init__(
        self,
        learning: Learning,
        intervals_ms: Mapping[str, int],
        frame_rate: FrameRate | None = None,
    ) -> None:
        """``learning``: as specified, which commands may change in part.

        ``intervals_ms``: least time between publications of weights, snapshot, metrics.

        ``frame_rate``: bounds what weights frames take; None: the interval alone does.
        """
        self.learning = learning
        self.intervals_ms = intervals_ms
        self._frame_rate = frame_rate

    def initial(self) -> SequencerState:
        """Before the first event of the first life."""
        return SequencerState()

    def handle(self, state: SequencerState, event: Event, now_ms: int) -> list[Effect]:
        """Take ``event`` into ``state`` (in place); what is to be done."""
        if not state.opened:
            self._open(state, now_ms)
            self._resume(state, now_ms)
        elif now_ms < state.now_ms:  # the clock was set back: no time it showed is to be awaited
            self._forget_after(state, now_ms)
            self._resume(state, now_ms)
        state.now_ms = now_ms
        if isinstance(event, UpdateArrived):
            return self._order(state, event.update, now_ms)
        if isinstance(event, HelloArrived):
            worker = event.hello.worker
            state.workers[worker.index] = worker.incarnation
            state.outgoing.behind.discard(worker.index)
            return [self._append(state, now_ms, {WEIGHTS, WHOLE}), *self._wake(state)]
        if isinstance(event, CommandArrived):
            return self._obey(state, event.command, now_ms)
        state.wake_ms = 0
        effects = self._come(state, now_ms)
        due = self._due(state, now_ms)
        effects += [self._append(state, now_ms, due)] if due else []
        return effects + self._wake(state)

    def _come(self, state: SequencerState, now_ms: int) -> list[Effect]:
        """What a mode has to do because of the time."""
        return []

    def _deadlines(self, state: SequencerState) -> list[int]:
        """When a mode wants to be woken."""
        return []

    def _resume(self, state: SequencerState, now_ms: int) -> None:  # noqa: B027  (most do nothing)
        """What a mode has to do when a life begins, or its clock anew."""

    def _open(self, state: SequencerState, now_ms: int) -> None:
        """Begin an epoch above every version that any earlier life may have sent out."""
        state.opened = True
        state.version = Version(max(state.version.epoch + 1, now_ms), state.version.number)
        state.workers = {}
        state.wake_ms = 0
        state.overrides = fitting(self.learning, state.overrides)
        self._forget_after(state, now_ms)

    @staticmethod
    def _forget_after(state: SequencerState, now_ms: int) -> None:
        """Whatever was published later than now was published now."""
        earlier = {kind: min(at_ms, now_ms) for kind, at_ms in state.published_ms.items()}
        state.published_ms = earlier

    def _expect(self, state: SequencerState, update: Update) -> None:
        expected = state.sequences.get(update.partition, 0) + 1
        if update.sequence != expected:
            raise AssertionError(
                f"update {update.sequence} of partition {update.partition} where {expected} was "
                "due: the state of the trainer and of the sequencer are not of one checkpoint"
            )

    def _sound(self, update: Update, effects: list[Effect]) -> Update:
        """The update, or, if a number of it is not finite, its account alone."""
        if update.delta.finite():
            return update
        effects.append(UpdateSpoilt(update))
        return update.without_delta()

    @abstractmethod
    def _order(self, state: SequencerState, update: Update, now_ms: int) -> list[Effect]:
        """Put the update into the log, now or later."""

    def _rate_scale(self, state: SequencerState) -> float:
        """Factor of the learning rates of optimizers that scale with the workers."""
        return 1.0

    def _obey(self, state: SequencerState, command: Mapping[str, Any], now_ms: int) -> list[Effect]:
        if command["command"] == "snapshot":
            return [self._append(state, now_ms, {SNAPSHOT, METRICS}, command=command)]
        if command["command"] != "set":
            raise AssertionError(f"command {command['command']!r} passed its schema unhandled")
        try:
            state.overrides = changed(self.learning, state.overrides, command["values"])
        except ConfigError as error:
            told = {**command, "refused": str(error)}
            return [CommandRefused(command), self._append(state, now_ms, {METRICS}, command=told)]
        return [self._append(state, now_ms, {WEIGHTS, METRICS}, command=command)]

    def _due(self, state: SequencerState, now_ms: int) -> set[str]:
        return {kind for kind in state.owed if now_ms >= self._next_ms(state, kind)}

    def _next_ms(self, state: SequencerState, kind: str) -> int:
        """When the publication may come again."""
        rest_ms = state.outgoing.wait_ms if kind == WEIGHTS else 0
        return state.published_ms.get(kind, 0) + max(self.intervals_ms[kind], rest_ms)

    def _wake(self, state: SequencerState) -> list[Effect]:
        """Ask to be woken when something is due next, unless that is already asked."""
        times = [self._next_ms(state, kind) for kind in state.owed]
        times += self._deadlines(state)
        if not times:
            return []
        at_ms = min(times)
        if state.wake_ms and state.wake_ms <= at_ms:
            return []
        state.wake_ms = at_ms
        return [WakeMe(at_ms)]

    def _append(
        self, state: SequencerState, now_ms: int, publish: set[str], **fields: Any
    ) -> Append:
        expiry, before_ms = self.learning.features.expiry, 0
        if expiry is not None and fields.get("updates"):
            before_ms = cut_off(expiry, state.activity, now_ms)
        if before_ms:
            publish = publish | {WEIGHTS}
        for kind in publish - {WHOLE}:
            state.published_ms[kind] = now_ms
        state.owed -= publish
        state.version = Version(state.version.epoch, state.version.number + 1)
        self._count(state, fields.get("updates", ()), WEIGHTS in publish, now_ms)
        return Append(
            Entry(
                state.version,
                now_ms,
                rate_scale=self._rate_scale(state),
                workers=tuple(Worker(*pair) for pair in sorted(state.workers.items())),
                publish=frozenset(publish),
                overrides=state.overrides,
                expire_before_ms=before_ms,
                pace=state.pace,
                **fields,
            )
        )

    def _count(
        self, state: SequencerState, updates: Sequence[Update], publishes: bool, now_ms: int
    ) -> None:
        """Count what the next frame will hold; ``publishes``: it goes out with these updates."""
        if self._frame_rate is None:
            return
        for update in updates:
            self._frame_rate.touch(state.outgoing, update, now_ms)
        if publishes:
            least_ms = self.intervals_ms.get(WEIGHTS, 0)
            trainers = len(state.workers)
            self._frame_rate.sent(state.outgoing, trainers, least_ms, state.version, now_ms)
