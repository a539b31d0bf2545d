"""The sequencer's Flink function: parallelism 1, one key, one timer."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from pyflink.common import Row
from pyflink.datastream import KeyedProcessFunction, RuntimeContext

from flink_ol.core.config import Learning
from flink_ol.core.sequencer import (
    Append,
    CommandArrived,
    CommandRefused,
    Event,
    HelloArrived,
    Sequencer,
    SequencerState,
    TimeCame,
    UpdateArrived,
    UpdateSpoilt,
    WakeMe,
)
from flink_ol.operators import states
from flink_ol.operators.worker import stop_state_sampling
from flink_ol.wire.control import decode_command
from flink_ol.wire.entries import encode_entry
from flink_ol.wire.errors import WireError
from flink_ol.wire.operator_state import decode_sequencer_state, encode_sequencer_state
from flink_ol.wire.updates import decode_hello, decode_update, encode_update


class SequencerFunction(KeyedProcessFunction):
    """Updates, hellos and commands in, log entries out."""

    def __init__(
        self, learning: Learning, intervals_ms: Mapping[str, int], scale_rate: bool
    ) -> None:
        self._learning = learning
        self._intervals_ms, self._scale_rate = dict(intervals_ms), scale_rate

    def open(self, runtime_context: RuntimeContext) -> None:
        stop_state_sampling()
        self._sequencer = Sequencer(self._learning, self._intervals_ms, self._scale_rate)
        self._state: SequencerState | None = None
        self._stored = runtime_context.get_state(states.sequencer_state())
        group = runtime_context.get_metrics_group()
        self._spoilt = group.counter("spoilt_updates")
        self._refused = group.counter("refused_commands")

    def process_element(self, value: Row, ctx: Any) -> Iterator[bytes]:
        kind, payload = value
        event: Event
        if kind == states.UPDATE:
            event = UpdateArrived(decode_update(payload))
        elif kind == states.HELLO:
            event = HelloArrived(decode_hello(payload))
        else:
            try:
                event = CommandArrived(decode_command(payload))
            except WireError:
                self._refused.inc()
                return
        yield from self._handle(event, payload, ctx)

    def on_timer(self, timestamp: int, ctx: Any) -> Iterator[bytes]:
        yield from self._handle(TimeCame(), b"", ctx)

    def _handle(self, event: Event, payload: bytes, ctx: Any) -> Iterator[bytes]:
        if self._state is None:
            stored = self._stored.value()
            self._state = SequencerState() if stored is None else decode_sequencer_state(stored)
        now_ms = time.time_ns() // 1_000_000
        for effect in self._sequencer.handle(self._state, event, now_ms):
            if isinstance(effect, Append):
                arrived = event.update if isinstance(event, UpdateArrived) else None
                updates = [
                    payload if update is arrived else encode_update(update)
                    for update in effect.entry.updates
                ]
                yield encode_entry(effect.entry, updates)
            elif isinstance(effect, WakeMe):
                ctx.timer_service().register_processing_time_timer(effect.at_ms)
            elif isinstance(effect, UpdateSpoilt):
                self._spoilt.inc()
            elif isinstance(effect, CommandRefused):
                self._refused.inc()
        self._stored.update(encode_sequencer_state(self._state))
