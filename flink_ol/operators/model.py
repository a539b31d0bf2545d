"""The model's Flink function: log entries as broadcast input, requests spread over subtasks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pyflink.common import Row
from pyflink.datastream import BroadcastProcessFunction, RuntimeContext

from flink_ol.core.compatibility import misfits
from flink_ol.core.config import Learning
from flink_ol.core.evaluation import Evaluation, metrics
from flink_ol.core.learner import Learner
from flink_ol.core.model import (
    Answer,
    Effect,
    EntryArrived,
    Model,
    ModelState,
    PublishMetrics,
    PublishSnapshot,
    PublishWeights,
    RequestArrived,
)
from flink_ol.core.quantisation import Numbers
from flink_ol.core.start import Start, start_of
from flink_ol.operators import states
from flink_ol.operators.stored_log import StoredLog
from flink_ol.operators.worker import multiply_in_one_thread, stop_state_sampling
from flink_ol.wire.entries import decode_entry
from flink_ol.wire.errors import WireError
from flink_ol.wire.formats import sample_format
from flink_ol.wire.frames import encode_frame
from flink_ol.wire.metrics import encode_metrics
from flink_ol.wire.model_file import decode_snapshot, encode_snapshot, snapshot_key
from flink_ol.wire.parts import PART_BYTES, split
from flink_ol.wire.predictions import encode_answer


class ModelFunction(BroadcastProcessFunction):
    """Requests in, predictions out; weights, snapshots and metrics on the side."""

    def __init__(
        self,
        learning: Learning,
        evaluation: Evaluation,
        format_name: str,
        fields: Any,
        job: str,
        spec_hash: str,
        snapshots_kept: int,
        start: bytes | None = None,
        frame_numbers: Numbers | None = None,
    ) -> None:
        """``start``: the model file that a new job begins with, already checked.

        ``frame_numbers``: what weights frames tell changes of parameters in; None: exactly.
        """
        self._learning, self._evaluation = learning, evaluation
        self._format_name, self._fields = format_name, fields
        self._job, self._spec_hash = job, spec_hash
        self._snapshots_kept, self._start = snapshots_kept, start
        self._frame_numbers = frame_numbers

    def open(self, runtime_context: RuntimeContext) -> None:
        stop_state_sampling()
        multiply_in_one_thread()
        self._decoder = sample_format(self._format_name, self._fields, self._learning)
        start = None if self._start is None else start_of(decode_snapshot(self._start))
        self._publishes = runtime_context.get_index_of_this_subtask() == 0
        self._model = self._model_of(self._learning, start)
        self._state: ModelState | None = None
        self._most_parts = 1  # that a snapshot on the topic may have
        self._log = StoredLog(needs_base=True)  # which tells what its entries were learned by
        self._descriptor = states.model_log()
        self._weights, self._metrics = states.weights(), states.metrics()
        self._snapshots = states.snapshots()

    def _model_of(self, learning: Learning, start: Start | None = None) -> Model:
        return Model(
            Learner(learning, self._evaluation, start),
            self._job,
            self._spec_hash,
            self._publishes,
            self._snapshots_kept,
            self._frame_numbers,
        )

    def process_element(self, value: Row, ctx: Any) -> Iterator[Any]:
        state = self._restored(ctx)
        partition, offset, payload = value
        request = self._decoder.decode_request(payload, partition, offset)
        for effect in self._model.handle(state, RequestArrived(request)):
            if isinstance(effect, Answer):
                yield encode_answer(effect, self._decoder.labels)

    def process_broadcast_element(self, value: bytes, ctx: Any) -> Iterator[Any]:
        state = self._restored(ctx)
        for effect in self._model.handle(state, EntryArrived(decode_entry(value))):
            yield from self._publish(effect)
        self._log.take(
            ctx.get_broadcast_state(self._descriptor), value, lambda: self._encoded(state)
        )

    def _publish(self, effect: Effect) -> Iterator[Any]:
        if isinstance(effect, PublishWeights):
            for part in split(encode_frame(effect.frame)):
                yield self._weights, part
        elif isinstance(effect, PublishMetrics):
            yield self._metrics, encode_metrics(effect, self._job, self._learning)
        elif isinstance(effect, PublishSnapshot):
            snapshot = effect.snapshot
            figures = metrics(snapshot.sums, self._learning, snapshot.recent)
            encoded = encode_snapshot(snapshot, figures)
            version = snapshot.frame.version
            parts = list(split(encoded))
            self._most_parts = max(self._most_parts, len(parts))
            for number, part in enumerate(parts):
                yield self._snapshots, Row(snapshot_key(version, number), part)
            for expired in effect.expired:
                for number in range(self._most_parts):  # a model may have shrunk since
                    yield self._snapshots, Row(snapshot_key(expired, number), None)

    def _restored(self, ctx: Any) -> ModelState:
        """At the first element of this life: the model of the checkpoint, or version 0."""
        if self._state is None:
            base, entries = self._log.restore(ctx.get_broadcast_state(self._descriptor))
            # a log without a base is of a job that began from nothing, whatever is asked for now
            state = self._model.initial(from_nothing=bool(entries))
            before = self._model  # of the settings that the log was learned by
            if base is not None:
                self._most_parts += len(base) // PART_BYTES
                snapshot = decode_snapshot(base)
                if found := misfits(snapshot, self._learning, in_flight=True):
                    raise WireError(
                        "the specification does not fit the model of the savepoint: "
                        + "; ".join(found)
                    )
                learning = Learning.from_json(snapshot.learning)
                if learning != self._learning:
                    before = self._model_of(learning)
                    self._log.renew()
                state = before.restored(snapshot)
            for entry in entries:
                before.handle(state, EntryArrived(decode_entry(entry)))
            if before is not self._model:
                self._model.take_over(state)
            self._state = state
        return self._state

    def _encoded(self, state: ModelState) -> bytes:
        """What the log begins with; the entries after it bring their overrides themselves."""
        learning = self._learning.to_json()
        return encode_snapshot(self._model.snapshot(state, 0)._replace(learning=learning), {})
