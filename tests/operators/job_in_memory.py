"""The job's own operators without a cluster: what Flink and Kafka do for them, in memory.

Flink's guarantees are modelled, and no more than they: channels in order, aligned checkpoints,
state by key, transactions that commit with the checkpoint. The weights topic is not rolled back by
a crash, and what an ended life had on the way may still come out. All that passes is bytes.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import orjson
from pyflink.common import Row

from flink_ol.core.config import Learning
from flink_ol.core.evaluation import Evaluation
from flink_ol.core.messages import INITIAL, Snapshot, Version
from flink_ol.core.quantisation import Numbers
from flink_ol.operators import states
from flink_ol.operators.model import ModelFunction
from flink_ol.operators.sequencer import SequencerFunction
from flink_ol.operators.trainer import TrainerFunction
from flink_ol.wire.batches import RawBatch, encode_batch
from flink_ol.wire.dead_letters import decode_dead_letter
from flink_ol.wire.entries import decode_entry
from flink_ol.wire.formats import FORMATS
from flink_ol.wire.model_file import decode_snapshot
from flink_ol.wire.parts import Assembler
from tests.operators.flink_in_memory import NOTHING, Kept, Subtask

REPLICAS = 2
RESTART_MS = 11_000  # after which the timers of the life before are due
INTERVALS_MS = {"weights": 5, "snapshot": 40, "metrics": 60}
JSON_FIELDS = FORMATS["json"].fields()


@dataclass
class Checkpoint:
    read: dict[int, int]  # records of each partition
    weights_read: int
    trainers: list[Kept]
    sequencer: Kept
    model: list[Kept]
    log: int  # entries in the model


class JobInMemory:
    """One job; every method up to ``settle`` is one thing that can happen."""

    def __init__(
        self,
        learning: Learning,
        training: Any,
        workers: int,
        records: dict[int, list[tuple]],
        numbers: Numbers | None = None,
        start: bytes | None = None,
        ends: Mapping[int, int] = MappingProxyType({}),
    ) -> None:
        """``records``: by partition, (offset, payload) as they come; ``numbers``: of frames.

        ``start``: the model file that ``model.start_from`` names; ``ends``: by partition, where
        training makes passes.
        """
        self._numbers, self._start, self._ends = numbers, start, dict(ends)
        self._learning, self._training, self.records = learning, training, records
        self.now_ms = 1_000
        self.weights: list[bytes] = []  # the topic: parts of frames, ghosts among them
        self.log: list[Version] = []  # of the entries in the model: a crash takes some back
        self.committed: list[bytes] = []  # parts of snapshots
        self.dead_letters: set[tuple[int, int]] = set()
        self._kept = Checkpoint(
            dict.fromkeys(records, 0), 0, [NOTHING] * workers, NOTHING, [NOTHING] * REPLICAS, 0
        )
        self.model: list[Subtask] = []
        self.log_channels: list[deque[bytes]] = []
        self._ghosts: tuple[Subtask, deque[bytes]] | None = None
        self.crash(workers)

    def crash(self, workers: int = 0) -> None:
        """Everything since the last checkpoint is gone, but for what went out to Kafka."""
        if self.model:
            self._ghosts = self.model[0], self.log_channels[0]
        kept = self._kept
        workers = workers or len(kept.trainers)
        self.read, self.weights_read = dict(kept.read), [kept.weights_read] * workers
        keyed = {key: of for trainer in kept.trainers for key, of in trainer.keyed.items()}
        timers = [timer for trainer in kept.trainers for timer in trainer.timers]
        both = (self._learning, Evaluation())
        self.trainers = [
            Subtask(
                TrainerFunction(
                    *both,
                    "json",
                    JSON_FIELDS,
                    "job.samples",
                    self._training,
                    self._ends,
                    self._start,
                ),
                i,
                Kept(
                    {key: of for key, of in keyed.items() if key % workers == i},
                    kept.trainers[i % len(kept.trainers)].broadcast,
                    tuple(timer for timer in timers if timer[1] % workers == i),
                ),
            )
            for i in range(workers)
        ]
        ordering = SequencerFunction(
            *both,
            INTERVALS_MS,
            self._training,
            frozenset(self.records),
            "job.samples",
            self._start,
            frame_bytes_per_s=100_000,
            frame_numbers=self._numbers,
        )
        self.sequencer = Subtask(ordering, 0, kept.sequencer)
        self.model = [
            Subtask(
                ModelFunction(
                    *both,
                    "json",
                    JSON_FIELDS,
                    "job",
                    "hash",
                    3,
                    self._start,
                    frame_numbers=self._numbers,
                ),
                i,
                state,
            )
            for i, state in enumerate(kept.model)
        ]
        self.now_ms += RESTART_MS
        del self.log[kept.log :]
        self.channels: list[deque[Row]] = [deque() for _ in range(workers)]
        self.log_channels = [deque() for _ in range(REPLICAS)]
        self._uncommitted: list[bytes] = []

    def batch(self, partition: int, size: int) -> None:
        """A batch of up to ``size`` records of the partition."""
        start = self.read[partition]
        records = self.records[partition][start : start + size]
        if not records:
            return
        self.read[partition] += len(records)
        offsets, payloads = map(list, zip(*records, strict=True))
        batch = RawBatch(partition, self.now_ms, np.array(offsets, np.int64), payloads)
        worker = partition % len(self.trainers)
        self._trained(worker, self.trainers[worker].element(encode_batch(batch), partition))

    def _trained(self, worker: int, emitted: list[Any]) -> None:
        for message in emitted:
            if isinstance(message, Row):
                self.channels[worker].append(message)
            else:
                self._bury(message[1])

    def _bury(self, message: bytes) -> None:
        letter = decode_dead_letter(message)
        self.dead_letters.add((letter.partition, letter.offset))

    def turn(self, size: int) -> None:
        """A window of every partition goes the whole way round, but for the second replica."""
        for partition in self.records:
            self.batch(partition, size)
        for worker, channel in enumerate(self.channels):
            self.deliver(worker, len(channel))
        self.fold(0, len(self.log_channels[0]))
        for worker in range(len(self.trainers)):
            self.feed_back(worker, len(self.weights) - self.weights_read[worker])

    def deliver(self, worker: int, messages: int) -> None:
        """The sequencer takes the next messages of the worker's channel."""
        channel = self.channels[worker % len(self.channels)]
        for _ in range(min(messages, len(channel))):
            key, message = channel.popleft()
            self.now_ms += 1
            self._append(self.sequencer.element(message, key))

    def command(self) -> None:
        """Somebody asks for a snapshot; and somebody sends what is no command."""
        for message in (b"no command", orjson.dumps({"command": "snapshot", "id": "mine"})):
            self._append(self.sequencer.element(Row(states.COMMAND, message), 0))

    def tick(self, ms: int) -> None:
        """Time passes; timers that are due fire."""
        self.now_ms += ms
        self._append(self.sequencer.due(self.now_ms))
        for worker, trainer in enumerate(self.trainers):
            self._trained(worker, trainer.due(self.now_ms))

    def _append(self, emitted: list[Any]) -> None:
        for entry in emitted:
            if not isinstance(entry, bytes):
                self._bury(entry[1])
                continue
            self.log.append(decode_entry(entry).version)
            for channel in self.log_channels:
                channel.append(entry)

    def fold(self, replica: int, entries: int) -> None:
        """A replica of the model takes the next entries."""
        channel = self.log_channels[replica]
        for _ in range(min(entries, len(channel))):
            for tag, value in self.model[replica].broadcast_element(channel.popleft()):
                assert replica == 0, "only the first replica publishes"
                if tag.tag_id == "weights":
                    self.weights.append(value)
                elif tag.tag_id == "snapshots" and value[1] is not None:
                    self._uncommitted.append(value[1])

    def feed_back(self, worker: int, parts: int) -> None:
        """The worker is shown the next parts of frames."""
        worker %= len(self.trainers)
        for part in self.weights[self.weights_read[worker] :][:parts]:
            self._show(worker, part)
            self.weights_read[worker] += 1

    def _show(self, worker: int, part: bytes) -> None:
        self.channels[worker] += self.trainers[worker].broadcast_element(Row(part))

    def lose(self, worker: int, parts: int) -> None:
        """The next parts of frames never reach the worker."""
        worker %= len(self.trainers)
        self.weights_read[worker] = min(len(self.weights), self.weights_read[worker] + parts)

    def show_again(self, worker: int, index: int, parts: int) -> None:
        """The worker is shown parts of frames of any time: late, twice, or of another life."""
        start = index % max(1, len(self.weights))
        for part in self.weights[start : start + parts]:
            self._show(worker % len(self.trainers), part)

    def damage(self, worker: int, index: int) -> None:
        """The worker is shown a part that was cut off."""
        if self.weights:
            part = self.weights[index % len(self.weights)]
            self._show(worker % len(self.trainers), part[: index % len(part)])

    def ghost(self, entries: int) -> None:
        """What the life before the crash had on the way reaches Kafka now."""
        if self._ghosts is not None:
            replica, channel = self._ghosts
            for _ in range(min(entries, len(channel))):
                for tag, value in replica.broadcast_element(channel.popleft()):
                    if tag.tag_id == "weights":
                        self.weights.append(value)

    def failed_checkpoint(self) -> None:
        """What is under way arrives before the barrier; then the checkpoint is given up."""
        for worker in range(len(self.trainers)):
            self.feed_back(worker, max(self.weights_read) - self.weights_read[worker])
        for worker in range(len(self.trainers)):
            self.deliver(worker, len(self.channels[worker]))
        for replica in range(REPLICAS):
            self.fold(replica, len(self.log_channels[replica]))

    def checkpoint(self) -> None:
        """An aligned checkpoint; snapshots that were sent before it are committed."""
        self.failed_checkpoint()
        self._kept = Checkpoint(
            dict(self.read),
            max(self.weights_read),
            [trainer.kept() for trainer in self.trainers],
            self.sequencer.kept(),
            [replica.kept() for replica in self.model],
            len(self.log),
        )
        self.committed += self._uncommitted
        self._uncommitted = []

    def rescale(self, workers: int) -> None:
        """Stop with a savepoint, go on with another number of workers."""
        self.checkpoint()
        self.crash(workers)

    def settle(self) -> None:
        """No more faults: all records are read, all that is under way arrives and is committed."""
        for partition, records in self.records.items():
            self.batch(partition, len(records))
        still, counted = 0, None
        while still < 4:  # turns without anything new in the model
            self.tick(250)
            self.failed_checkpoint()
            for worker in range(len(self.trainers)):
                self.feed_back(worker, len(self.weights) - self.weights_read[worker])
            before, counted = counted, dict(self.model[0].function._state.ledger)
            still = still + 1 if before == counted else 0
        self.checkpoint()

    # ---- what is seen of it

    def snapshots(self) -> Iterator[Snapshot]:
        """What a committed reader sees, in order."""
        assembler = Assembler()
        for part in self.committed:
            if (message := assembler.add(part)) is not None:
                yield decode_snapshot(message)

    def validate(self) -> None:
        """What must hold after every event."""
        versions = {INITIAL, *self.log}
        for subtask in self.trainers:
            state = subtask.function._state
            assert state.version in versions, f"{state.worker} holds {state.version}, a ghost"
            if self._training.mode != "local":
                continue  # only there do trainers learn ahead of the model
            for partition, progress in state.progress.items():
                contained = state.acknowledged.get(partition, 0)
                pending = [u.sequence for u in state.pending if u.partition == partition]
                assert pending == list(range(contained + 1, progress.sequence + 1))
        assert all(one < other for one, other in itertools.pairwise(self.log))
