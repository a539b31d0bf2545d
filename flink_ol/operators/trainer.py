"""The trainer's Flink function: keyed by input partition, with the weights as broadcast input."""

from __future__ import annotations

import gc
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from pyflink.common import Row
from pyflink.datastream import KeyedBroadcastProcessFunction, RuntimeContext

from flink_ol.core.config import Learning
from flink_ol.core.evaluation import Evaluation
from flink_ol.core.learner import Learner
from flink_ol.core.messages import Worker
from flink_ol.core.modes import trainer_of
from flink_ol.core.modes.gradients import GradientTrainer
from flink_ol.core.samples import Rejection, Samples, joined
from flink_ol.core.start import start_of
from flink_ol.core.trainer import (
    BatchArrived,
    DeadLetter,
    DropBatches,
    Effect,
    ForgetUpdates,
    FrameArrived,
    FrameRestored,
    KeepBatch,
    KeepResidual,
    SaveProgress,
    SayHello,
    SendUpdate,
    SlowDown,
    TimeCame,
    WakeMe,
)
from flink_ol.core.training import Exact, Training
from flink_ol.operators import states
from flink_ol.operators.dead_letters import DeadLetters
from flink_ol.operators.partition_state import PartitionState
from flink_ol.operators.silence import Silence
from flink_ol.operators.stored_log import StoredLog
from flink_ol.operators.waking import Waking
from flink_ol.operators.worker import multiply_in_one_thread, stop_state_sampling
from flink_ol.wire.batches import RawBatch, decode_batch
from flink_ol.wire.errors import WireError
from flink_ol.wire.formats import SampleFormat, sample_format
from flink_ol.wire.frames import decode_frame, peek_frame
from flink_ol.wire.model_file import decode_snapshot
from flink_ol.wire.parts import Assembler
from flink_ol.wire.updates import encode_hello, encode_update

_POLL_MS = 10  # how often samples that wait are looked after
_ONLY = 0  # the one key of the sequencer's stream


class TrainerFunction(KeyedBroadcastProcessFunction):
    """Batches in, updates out; dead letters on the side."""

    def __init__(
        self,
        learning: Learning,
        evaluation: Evaluation,
        format_name: str,
        fields: Any,
        topic: str,
        training: Training,
        ends: Mapping[int, int],
        start: bytes | None = None,
    ) -> None:
        """``fields``: the format's settings; ``topic``: of the samples, for dead letters.

        ``ends``: partition -> offset after its last sample, where training makes passes.
        ``start``: the model file that a new job begins with, already checked.
        """
        self._training, self._ends = training, ends
        self._learning, self._evaluation = learning, evaluation
        self._format_name, self._fields = format_name, fields
        self._topic, self._start = topic, start

    def open(self, runtime_context: RuntimeContext) -> None:
        stop_state_sampling()
        multiply_in_one_thread()
        self._decoder: SampleFormat = sample_format(self._format_name, self._fields, self._learning)
        worker = Worker(runtime_context.get_index_of_this_subtask(), secrets.randbits(63))
        start = None if self._start is None else start_of(decode_snapshot(self._start))
        learner = Learner(self._learning, self._evaluation, start)
        self._trainer = trainer_of(self._training, learner, self._ends)
        self._state = self._trainer.initial(worker)
        self._assembler = Assembler()
        self._frames, self._frame_restored = StoredLog(), False
        compressed = self._training.compression is not None
        self._stored = PartitionState(runtime_context, compressed)
        self._partitions: dict[str, int] = {}  # by key, for timers
        self._waking = Waking()
        self._letters = DeadLetters(self._topic)
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
        group.gauge("orphan_frames", lambda: self._state.orphans)
        group.gauge("pending_updates", lambda: len(self._state.pending))
        self._silence = Silence(lambda: time.monotonic_ns() // 1_000_000)
        self._answered = not isinstance(self._training, Exact)  # there by hellos alone
        group.gauge("feedback_silence_ms", lambda: self._silence.ms)

    def process_element(self, value: bytes, ctx: Any) -> Iterator[Any]:
        self._restore_frame(ctx)
        batch = decode_batch(value)
        partition, newest_ms = batch.partition, batch.newest_ms
        if partition not in self._state.progress:
            self._restore_partition(partition)
        self._partitions[str(ctx.get_current_key())] = partition
        self._letters.begin_batch()
        for samples, rejections in self._decoded(batch):
            event = BatchArrived(partition, samples, rejections, newest_ms)
            yield from self._do(self._trainer.handle(self._state, event), batch, ctx)

    def _decoded(self, batch: RawBatch) -> Iterator[tuple[Samples, Sequence[Rejection]]]:
        """The batch in parts of bounded memory; in one, where samples wait: it is kept as one."""
        parts = self._decoder.parts(batch.payloads, batch.offsets)
        if not isinstance(self._trainer, GradientTrainer):
            yield from parts
            return
        samples, rejections = zip(*parts, strict=True)
        yield joined(samples), list(chain.from_iterable(rejections))

    def on_timer(self, timestamp: int, ctx: Any) -> Iterator[Any]:
        """Samples wait, and perhaps their turn has come."""
        self._restore_frame(ctx)
        partition = self._partitions.get(str(ctx.get_current_key()))
        if partition is None:  # the timer is of the life before, and no batch came yet
            partition = self._stored.waiting_partition()
            if partition is None:
                return
            self._partitions[str(ctx.get_current_key())] = partition
            self._restore_partition(partition)
        event = TimeCame(partition, self._silence.overdue())
        yield from self._do(self._trainer.handle(self._state, event), None, ctx)

    def _do(self, effects: list[Effect], batch: RawBatch | None, ctx: Any) -> Iterator[Any]:
        """``batch``: the one that just came, if one did."""
        for effect in effects:
            if isinstance(effect, SendUpdate):
                update = encode_update(effect.update)
                if effect.pending:
                    self._stored.keep_update(effect.update.sequence, update)
                if self._answered:
                    self._silence.sent()
                yield Row(_ONLY, Row(states.UPDATE, update))
            elif isinstance(effect, SaveProgress):
                self._stored.save(effect.progress)
            elif isinstance(effect, DeadLetter):
                yield self._dead_letters, self._dead_letter(effect, batch)
            elif isinstance(effect, ForgetUpdates):
                self._stored.forget_updates(effect.sequences)
            elif isinstance(effect, KeepBatch):
                assert batch is not None
                self._stored.keep_batch(effect.number, batch)
            elif isinstance(effect, DropBatches):
                self._stored.drop_batches(effect.numbers)
            elif isinstance(effect, KeepResidual):
                residual = self._state.residuals[effect.partition]
                self._stored.keep_residual(effect.partition, effect.change, residual)
            elif isinstance(effect, WakeMe):
                self._wake(ctx)
            elif isinstance(effect, SlowDown):
                time.sleep(effect.seconds)
            elif isinstance(effect, SayHello):
                self._silence.sent()
                yield Row(_ONLY, Row(states.HELLO, encode_hello(effect.hello)))

    def _wake(self, ctx: Any) -> None:
        # on a common grid, so that a key has one timer at a time however often it asks
        now_ms = time.time_ns() // 1_000_000
        self._waking.at(ctx, (now_ms // _POLL_MS + 1) * _POLL_MS, now_ms)

    def process_broadcast_element(self, value: Row, ctx: Any) -> Iterator[Any]:
        stored = ctx.get_broadcast_state(self._frame_descriptor)
        self._restore_frame(ctx)
        try:
            effects = self._take(value[0], stored)
        except WireError:
            self._damaged.inc()  # the change after it, or the next whole frame, mends it
            return
        yield from self._do(effects, None, ctx)

    def _take(self, part: bytes, stored: Any) -> list[Effect]:
        """One part of a frame; the frame is adopted if it is for this life, newer and follows."""
        message = self._assembler.add(part)
        if message is None:
            return []
        heading = peek_frame(message)
        refused = self._trainer.refused(self._state, heading)
        if refused is not None:
            return refused
        effects = self._trainer.handle(self._state, FrameArrived(decode_frame(message)))
        if self._state.version != heading.version:
            return effects
        if heading.parent is None:
            self._frames.replace(stored, message)
        else:
            self._frames.append(stored, message)
        self._silence.heard(self._trainer.awaits(self._state))
        return effects

    def _restore_frame(self, ctx: Any) -> None:
        """At the first element of this life: the frames of the checkpoint, if there are any."""
        if self._frame_restored:
            return
        self._frame_restored = True
        stored = ctx.get_broadcast_state(self._frame_descriptor)
        whole, changes = self._frames.restore(stored)
        for message in () if whole is None else (whole, *changes):
            self._trainer.handle(self._state, FrameRestored(decode_frame(message)))

    def _restore_partition(self, partition: int) -> None:
        """At the first batch of a partition in this life: where the checkpoint left it."""
        restored = self._stored.restored(partition, self._decoded)
        self._trainer.handle(self._state, restored)

    def _dead_letter(self, effect: DeadLetter, batch: RawBatch | None) -> bytes:
        offset = effect.rejection.offset
        payload = None if batch is None else batch.payload(offset)
        if payload is None:
            payload = self._stored.waiting_payload(offset)
        return self._letters.encoded(effect, payload)
