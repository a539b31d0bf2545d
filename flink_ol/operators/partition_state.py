"""What a checkpoint holds of a partition: the trainer's keyed state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pyflink.datastream import RuntimeContext

from flink_ol.core.residual import Change, Residual
from flink_ol.core.samples import Rejection, Samples
from flink_ol.core.trainer import PartitionRestored, Progress
from flink_ol.core.waiting_room import Batch
from flink_ol.operators import states
from flink_ol.operators.stored_log import StoredLog
from flink_ol.wire.batches import RawBatch, decode_batch, encode_batch
from flink_ol.wire.operator_state import decode_progress, encode_progress
from flink_ol.wire.residuals import decode_residual, encode_residual
from flink_ol.wire.updates import decode_update

Decoded = Iterable[tuple[Samples, Sequence[Rejection]]]


class PartitionState:
    """Of the partition whose key is Flink's current one; for all partitions of a subtask."""

    def __init__(self, context: RuntimeContext, compressed: bool) -> None:
        """``compressed``: whether updates leave something out, which is kept back."""
        self._progress = context.get_state(states.partition_progress())
        self._pending = context.get_map_state(states.pending_updates())
        self._waiting = context.get_map_state(states.waiting_batches())
        self._residuals = context.get_map_state(states.residuals())
        self._residual_logs: dict[int, StoredLog] = {}  # by partition
        self._compressed = compressed

    def save(self, progress: Progress) -> None:
        self._progress.update(encode_progress(progress))

    def keep_update(self, sequence: int, update: bytes) -> None:
        """``update``: as it was sent, until a frame contains it."""
        self._pending.put(sequence, update)

    def forget_updates(self, sequences: Iterable[int]) -> None:
        for sequence in sequences:
            self._pending.remove(sequence)

    def keep_batch(self, number: int, batch: RawBatch) -> None:
        self._waiting.put(number, encode_batch(batch))

    def drop_batches(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self._waiting.remove(number)

    def keep_residual(self, partition: int, change: Change, residual: Residual) -> None:
        """``change`` of ``residual``, which has it already."""
        log = self._residual_logs.setdefault(partition, StoredLog())
        log.take(
            self._residuals, encode_residual(change), lambda: encode_residual(residual.whole())
        )

    def waiting_partition(self) -> int | None:
        """The partition, if batches of it wait."""
        stored = next(iter(self._waiting.values()), None)
        return None if stored is None else decode_batch(stored).partition

    def waiting_payload(self, offset: int) -> bytes | None:
        """Of a record whose samples wait; None where they do not."""
        batches = (decode_batch(stored) for stored in self._waiting.values())
        return next((found for batch in batches if (found := batch.payload(offset))), None)

    def restored(self, partition: int, decode: Callable[[RawBatch], Decoded]) -> PartitionRestored:
        """Where the checkpoint left the partition."""
        stored = self._progress.value()
        progress = Progress() if stored is None else decode_progress(stored)
        pending = [decode_update(update) for update in self._pending.values()]
        waiting: list[Batch] = []
        for number in sorted(self._waiting.keys()):
            raw = decode_batch(self._waiting.get(number))
            waiting += (Batch(number, *part, raw.newest_ms) for part in decode(raw))
        residual = self._restored_residual(partition)
        return PartitionRestored(partition, progress, pending, waiting, residual)

    def _restored_residual(self, partition: int) -> list[Change]:
        if not self._compressed:
            # the specification had one before: were it back later, this would be long out of date
            for number in list(self._residuals.keys()):
                self._residuals.remove(number)
            return []
        log = self._residual_logs[partition] = StoredLog()
        base, changes = log.restore(self._residuals)
        stored: list[Any] = changes if base is None else [base, *changes]
        return [decode_residual(change) for change in stored]
