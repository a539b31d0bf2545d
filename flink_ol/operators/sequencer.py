"""The sequencer's Flink function: parallelism 1, one key, one timer."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from pyflink.common import Row
from pyflink.datastream import KeyedProcessFunction, RuntimeContext

from flink_ol.core.config import Learning
from flink_ol.core.evaluation import Evaluation
from flink_ol.core.frames import whole
from flink_ol.core.learner import Learner
from flink_ol.core.messages import Frame, Update
from flink_ol.core.modes import sequencer_of
from flink_ol.core.quantisation import Numbers
from flink_ol.core.sequencer import (
    Append,
    CommandArrived,
    CommandRefused,
    DropContributions,
    Event,
    HelloArrived,
    KeepContribution,
    KeepLearned,
    RejectSample,
    SequencerState,
    TimeCame,
    UpdateArrived,
    UpdateSpoilt,
    WakeMe,
)
from flink_ol.core.start import start_of
from flink_ol.core.state import State
from flink_ol.core.training import Training
from flink_ol.operators import states
from flink_ol.operators.stored_log import StoredLog
from flink_ol.operators.waking import Waking
from flink_ol.operators.worker import multiply_in_one_thread, stop_state_sampling
from flink_ol.wire.control import decode_command
from flink_ol.wire.dead_letters import encode_dead_letter
from flink_ol.wire.entries import encode_entry
from flink_ol.wire.errors import WireError
from flink_ol.wire.frames import decode_frame, encode_frame
from flink_ol.wire.model_file import decode_snapshot
from flink_ol.wire.operator_state import decode_sequencer_state, encode_sequencer_state
from flink_ol.wire.updates import decode_hello, decode_update, encode_update


class SequencerFunction(KeyedProcessFunction):
    """Updates, hellos and commands in, log entries out."""

    def __init__(
        self,
        learning: Learning,
        evaluation: Evaluation,
        intervals_ms: Mapping[str, int],
        training: Training,
        shards: frozenset[int],
        topic: str,
        start: bytes | None = None,
        frame_bytes_per_s: int | None = None,
        frame_numbers: Numbers | None = None,
    ) -> None:
        """``shards``: partitions that have samples; ``topic``: theirs, for dead letters.

        ``start``: the model file that a new job begins with, already checked.
        ``frame_bytes_per_s``: the most of weights frames to all trainers together; None: any.
        ``frame_numbers``: what their changes are told in.
        """
        self._start, self._frames = start, (frame_bytes_per_s, frame_numbers)
        self._learning, self._evaluation = learning, evaluation
        self._intervals_ms, self._training = dict(intervals_ms), training
        self._shards, self._topic = shards, topic

    def open(self, runtime_context: RuntimeContext) -> None:
        stop_state_sampling()
        multiply_in_one_thread()
        start = None if self._start is None else start_of(decode_snapshot(self._start))
        learner = self._learner = Learner(self._learning, self._evaluation, start)
        self._sequencer = sequencer_of(
            self._training, learner, self._intervals_ms, self._shards, *self._frames
        )
        self._state: SequencerState | None = None
        self._stored = runtime_context.get_state(states.sequencer_state())
        self._contributions = runtime_context.get_map_state(states.round_contributions())
        self._learned = runtime_context.get_map_state(states.learned_log())
        self._log = StoredLog()
        self._waking = Waking()
        self._encoded: dict[int, tuple[Update, bytes]] = {}  # by partition, until in the log
        self._dead_letters = states.dead_letters()
        group = runtime_context.get_metrics_group()
        self._spoilt = group.counter("spoilt_updates")
        self._refused = group.counter("refused_commands")
        group.gauge("frame_rest_ms", lambda: self._state.outgoing.rest_ms if self._state else 0)
        group.gauge("late_contributions", lambda: self._state.late if self._state else 0)

    def process_element(self, value: Row, ctx: Any) -> Iterator[Any]:
        kind, payload = value
        event: Event
        if kind == states.UPDATE:
            update = decode_update(payload)
            self._encoded[update.partition] = update, payload
            event = UpdateArrived(update)
        elif kind == states.HELLO:
            event = HelloArrived(decode_hello(payload))
        else:
            try:
                event = CommandArrived(decode_command(payload))
            except WireError:
                self._refused.inc()
                return
        yield from self._handle(event, ctx)

    def on_timer(self, timestamp: int, ctx: Any) -> Iterator[Any]:
        yield from self._handle(TimeCame(), ctx)

    def _handle(self, event: Event, ctx: Any) -> Iterator[Any]:
        if self._state is None:
            self._state = self._restored()
        state = self._state
        now_ms = time.time_ns() // 1_000_000
        for effect in self._sequencer.handle(self._state, event, now_ms):
            if isinstance(effect, Append):
                updates = [self._bytes_of(update) for update in effect.entry.updates]
                for update in effect.entry.updates:
                    self._encoded.pop(update.partition, None)
                yield encode_entry(effect.entry, updates)
            elif isinstance(effect, WakeMe):
                self._waking.at(ctx, effect.at_ms, now_ms)
            elif isinstance(effect, UpdateSpoilt):
                self._spoilt.inc()
            elif isinstance(effect, CommandRefused):
                self._refused.inc()
            elif isinstance(effect, KeepContribution):
                self._contributions.put(effect.update.partition, self._bytes_of(effect.update))
            elif isinstance(effect, DropContributions):
                for partition in effect.partitions:
                    self._contributions.remove(partition)
            elif isinstance(effect, KeepLearned):
                learned = self._bytes_of(effect.update)
                self._log.take(self._learned, learned, partial(self._base, state))
            elif isinstance(effect, RejectSample):
                offset, reason = effect.rejection.offset, effect.rejection.reason
                letter = encode_dead_letter(self._topic, effect.partition, offset, reason, None)
                yield self._dead_letters, letter
        self._stored.update(encode_sequencer_state(self._state))

    def _bytes_of(self, update: Update) -> bytes:
        known = self._encoded.get(update.partition)
        if known is None or known[0] is not update:
            known = self._encoded[update.partition] = update, encode_update(update)
        return known[1]

    def _restored(self) -> SequencerState:
        """The state of the checkpoint, or that of a first life."""
        stored, first = self._stored.value(), self._sequencer.initial()
        if stored is None:
            if first.learned is not None:  # a later submission may begin with another model
                self._log.replace(self._learned, self._base(first))
            return first
        state = decode_sequencer_state(stored)
        for encoded in self._contributions.values():
            update = decode_update(encoded)
            state.contributions[update.partition] = update
        if first.learned is not None:
            state.learned = self._relearned(first.learned)
        return state

    def _relearned(self, learned: State) -> State:
        """What the sequencer had learned by the checkpoint; ``learned``: before any sample."""
        base, updates = self._log.restore(self._learned)
        if base is not None:
            frame = decode_frame(base)
            learned = State.of(learned.specs, frame.keys, frame.arrays, frame.waiting)
        for encoded in updates:
            self._learner.assign(learned, decode_update(encoded).delta)
        return learned

    def _base(self, state: SequencerState) -> bytes:
        """All that the sequencer learned, as a frame."""
        learned = state.learned
        assert learned is not None
        keys, arrays, _ = whole(learned)
        waiting = self._learner.waiting(learned)
        return encode_frame(Frame(state.version, (), {}, 1.0, keys, arrays, waiting=waiting))
