"""The trainer's Flink function: keyed by input partition, with the weights as broadcast input."""

from __future__ import annotations

import gc
import secrets
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
from pyflink.common import Row
from pyflink.datastream import KeyedBroadcastProcessFunction, RuntimeContext

from flink_ol.core.config import Learning
from flink_ol.core.evaluation import Evaluation
from flink_ol.core.learner import Learner
from flink_ol.core.messages import Worker
from flink_ol.core.samples import Rejection
from flink_ol.core.start import start_of
from flink_ol.core.trainer import (
    BatchArrived,
    DeadLetter,
    Effect,
    ForgetUpdates,
    FrameArrived,
    FrameRestored,
    PartitionRestored,
    Progress,
    SayHello,
    SendUpdate,
    Trainer,
)
from flink_ol.operators import states
from flink_ol.operators.silence import Silence
from flink_ol.operators.worker import stop_state_sampling
from flink_ol.wire.dead_letters import encode_dead_letter
from flink_ol.wire.errors import WireError
from flink_ol.wire.formats import SampleFormat, sample_format
from flink_ol.wire.frames import decode_frame, peek_frame
from flink_ol.wire.model_file import decode_snapshot
from flink_ol.wire.operator_state import decode_progress, encode_progress
from flink_ol.wire.parts import Assembler
from flink_ol.wire.updates import decode_update, encode_hello, encode_update

_ONLY = 0  # the one key of the broadcast state, and of the sequencer's stream

# letters of one record that carry its payload: with thousands of bad rows, all of them would be
# thousands of times what came in
_WITH_PAYLOAD = 10


class TrainerFunction(KeyedBroadcastProcessFunction):
    """Batches in, updates out; dead letters on the side."""

    def __init__(
        self,
        learning: Learning,
        evaluation: Evaluation,
        format_name: str,
        fields: Any,
        topic: str,
        start: bytes | None = None,
    ) -> None:
        """``fields``: the format's settings; ``topic``: of the samples, for dead letters.

        ``start``: the model file that a new job begins with, already checked.
        """
        self._learning, self._evaluation = learning, evaluation
        self._format_name, self._fields = format_name, fields
        self._topic, self._start = topic, start

    def open(self, runtime_context: RuntimeContext) -> None:
        stop_state_sampling()
        self._decoder: SampleFormat = sample_format(self._format_name, self._fields, self._learning)
        worker = Worker(runtime_context.get_index_of_this_subtask(), secrets.randbits(63))
        start = None if self._start is None else start_of(decode_snapshot(self._start))
        self._trainer = Trainer(Learner(self._learning, self._evaluation, start))
        self._state = self._trainer.initial(worker)
        self._assembler = Assembler()
        self._frame_restored = False
        self._progress = runtime_context.get_state(states.partition_progress())
        self._pending = runtime_context.get_map_state(states.pending_updates())
        self._frame_descriptor = states.newest_frame()
        self._dead_letters = states.dead_letters()
        # Decoding makes thousands of short-lived objects a batch, and each full collection would
        # walk through everything that Beam, numba and numpy have loaded: leave that out, and
        # collect less often.
        gc.freeze()
        gc.set_threshold(200_000, 20, 100)
        group = runtime_context.get_metrics_group()
        self._damaged = group.counter("damaged_frames")
        group.gauge("ghost_frames", lambda: self._state.ghosts)
        group.gauge("stale_frames", lambda: self._state.stale)
        group.gauge("pending_updates", lambda: len(self._state.pending))
        self._silence = Silence(lambda: time.monotonic_ns() // 1_000_000)
        group.gauge("feedback_silence_ms", lambda: self._silence.ms)

    def process_element(self, value: Row, ctx: Any) -> Iterator[Any]:
        self._restore_frame(ctx)
        partition, first, last, count, newest_ms, offsets, payloads = value
        if partition not in self._state.progress:
            self._restore_partition(partition)
        numbers = (
            np.arange(first, last + 1, dtype=np.int64)
            if last - first + 1 == count
            else np.array(offsets, np.int64)
        )
        letters: Counter[int] = Counter()  # by offset
        for samples, rejections in self._decoder.parts(payloads, numbers):
            batch = BatchArrived(partition, samples, rejections, newest_ms)
            for effect in self._trainer.handle(self._state, batch):
                yield from self._carried_out(effect, numbers, payloads, letters)

    def _carried_out(
        self,
        effect: Effect,
        offsets: np.ndarray,
        payloads: list[bytes | None],
        letters: Counter[int],
    ) -> Iterator[Any]:
        if isinstance(effect, SendUpdate):
            update = encode_update(effect.update)
            self._pending.put(effect.update.sequence, update)
            self._progress.update(encode_progress(effect.progress))
            self._silence.sent()
            yield Row(_ONLY, Row(states.UPDATE, update))
        elif isinstance(effect, DeadLetter):
            yield self._dead_letters, self._dead_letter(effect, offsets, payloads, letters)
        elif isinstance(effect, ForgetUpdates):
            for sequence in effect.sequences:
                self._pending.remove(sequence)
        elif isinstance(effect, SayHello):
            yield Row(_ONLY, Row(states.HELLO, encode_hello(effect.hello)))

    def process_broadcast_element(self, value: Row, ctx: Any) -> Iterator[Any]:
        stored = ctx.get_broadcast_state(self._frame_descriptor)
        self._restore_frame(ctx)
        try:
            self._take(value[0], stored)
        except WireError:
            self._damaged.inc()  # the next full frame mends it
        return iter(())

    def _take(self, part: bytes, stored: Any) -> None:
        """One part of a frame; the whole frame is adopted if it is for this life and newer."""
        message = self._assembler.add(part)
        if message is None:
            return
        version, workers = peek_frame(message)
        if self._state.worker not in workers:
            self._state.ghosts += 1
        elif version <= self._state.version:
            self._state.stale += 1
        else:
            self._trainer.handle(self._state, FrameArrived(decode_frame(message)))
            self._silence.heard(waits=bool(self._state.pending))
            stored.put(_ONLY, message)

    def _restore_frame(self, ctx: Any) -> None:
        """At the first element of this life: the frame of the checkpoint, if there is one."""
        if self._frame_restored:
            return
        self._frame_restored = True
        message = ctx.get_broadcast_state(self._frame_descriptor).get(_ONLY)
        if message is not None:
            self._trainer.handle(self._state, FrameRestored(decode_frame(message)))

    def _restore_partition(self, partition: int) -> None:
        """At the first batch of a partition in this life: where the checkpoint left it."""
        stored = self._progress.value()
        progress = Progress() if stored is None else decode_progress(stored)
        pending = [decode_update(update) for update in self._pending.values()]
        self._trainer.handle(self._state, PartitionRestored(partition, progress, pending))

    def _dead_letter(
        self,
        effect: DeadLetter,
        offsets: np.ndarray,
        payloads: list[bytes | None],
        letters: Counter[int],
    ) -> bytes:
        """``letters``: how many there were of the window's records so far."""
        rejection: Rejection = effect.rejection
        payload = payloads[int(np.searchsorted(offsets, rejection.offset))]
        reason = rejection.reason
        letters[rejection.offset] += 1
        if letters[rejection.offset] > _WITH_PAYLOAD:
            payload, reason = None, f"{reason} (the payload is in the record's first letters)"
        return encode_dead_letter(self._topic, effect.partition, rejection.offset, reason, payload)
