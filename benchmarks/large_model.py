"""The loop on a model of millions of features, without a cluster: what a merge and a frame cost.

One process plays trainer, sequencer and model in turn. Between them pass the bytes that the job
sends, in parts where the job splits them, and logs are kept as the operators keep them: so the
figure is the work of all four of the job's stages on one core, without Flink and Kafka.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from flink_ol.core.config import Features, Ftrl, Learning, LinearModel
from flink_ol.core.learner import Learner
from flink_ol.core.messages import Hello, Worker
from flink_ol.core.model import EntryArrived, Model, PublishWeights
from flink_ol.core.modes.local import LocalSequencer, LocalTrainer
from flink_ol.core.samples import Samples
from flink_ol.core.sequencer import (
    Append,
    Event,
    HelloArrived,
    SequencerState,
    UpdateArrived,
)
from flink_ol.core.trainer import BatchArrived, FrameArrived, SendUpdate
from flink_ol.operators.stored_log import StoredLog
from flink_ol.wire.entries import decode_entry, encode_entry
from flink_ol.wire.frames import decode_frame, encode_frame, peek_frame
from flink_ol.wire.model_file import encode_snapshot
from flink_ol.wire.parts import Assembler, split
from flink_ol.wire.updates import decode_update, encode_update

NON_ZEROS = 40
LEARNING = Learning(
    task="binary",
    classes=None,
    model=LinearModel(),
    features=Features(scale="none"),
    optimizer=Ftrl(),
    seed=0,
)


class BroadcastState(dict[int, bytes]):
    """What Flink's map state does for a log."""

    def put(self, key: int, value: bytes) -> None:
        self[key] = value

    def remove(self, key: int) -> None:
        del self[key]


def measure(bits: int, samples: int, merges: int) -> dict[str, Any]:
    """Merges per second of ``samples`` each, and bytes per frame, once 2**bits features are met.

    At least ``merges``, and until a whole frame and a new base of the model's log were among them.
    """
    loop = _Loop()
    for start in range(0, 1 << bits, 1 << 18):  # every feature once, 256 a sample
        keys = np.arange(start, min(start + (1 << 18), 1 << bits), dtype=np.int64)
        loop.turn(_samples(keys, 256, loop.rng))
    loop.turn(_zipf(bits, samples, loop.rng))
    loop.frames.clear()
    loop.bases = 0
    seconds: list[float] = []
    cpu = 0.0
    while len(seconds) < merges or not loop.bases or not any(whole for whole, _ in loop.frames):
        batch = _zipf(bits, samples, loop.rng)
        began, used = time.perf_counter(), time.process_time()
        loop.turn(batch)
        seconds.append(time.perf_counter() - began)
        cpu += time.process_time() - used
    changes = [size for whole, size in loop.frames if not whole]
    wholes = [size for whole, size in loop.frames if whole]
    return {
        "features": loop.features,
        "samples_per_merge": samples,
        "merges_per_s": round(len(seconds) / sum(seconds), 1),
        "cpu_ms_per_merge": round(1e3 * cpu / len(seconds), 1),
        "merges": len(seconds),
        "merge_ms_p50": round(1e3 * float(np.median(seconds)), 1),
        "merge_ms_p99": round(1e3 * float(np.quantile(seconds, 0.99)), 1),
        "merge_ms_max": round(1e3 * max(seconds), 1),
        "update_bytes": loop.update_bytes,
        "frame_bytes_of_changes": round(float(np.mean(changes))) if changes else None,
        "frame_bytes_whole": round(float(np.mean(wholes))) if wholes else None,
        "frames_of_changes": len(changes),
        "frames_whole": len(wholes),
        "new_bases": loop.bases,
        "model_bytes": loop.model_bytes(),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
    }


class _Loop:
    def __init__(self) -> None:
        learner = Learner(LEARNING)
        self.rng = np.random.default_rng(0)
        self._trainer, self._model = LocalTrainer(learner), Model(learner, "large", "")
        self._sequencer = LocalSequencer(LEARNING, {"weights": 0})
        self._learns = self._trainer.initial(Worker(0, 1))
        self._orders, self._folds = SequencerState(), self._model.initial()
        self._model_log, self._model_state = StoredLog(), BroadcastState()
        self._frame_log, self._frame_state = StoredLog(), BroadcastState()
        self._assembler = Assembler()
        self._now_ms = self._offset = 0
        self.frames: list[tuple[bool, int]] = []  # whether whole, bytes
        self.update_bytes = self.bases = 0
        self._order(HelloArrived(Hello(Worker(0, 1))), b"")

    @property
    def features(self) -> int:
        return self._folds.arrays.vocabulary.size

    def model_bytes(self) -> int:
        return sum(self._folds.arrays.rows(spec.name).nbytes for spec in self._folds.arrays.specs)

    def turn(self, samples: Samples) -> None:
        """One batch goes the whole way round, back into the trainer's replica."""
        count = len(samples)
        offsets = np.arange(self._offset, self._offset + count, dtype=np.int64)
        self._offset += count
        batch = BatchArrived(0, Samples(**samples._asdict() | {"offsets": offsets}), [], 0)
        for effect in self._trainer.handle(self._learns, batch):
            if isinstance(effect, SendUpdate):
                encoded = encode_update(effect.update)
                self.update_bytes = len(encoded)
                self._order(UpdateArrived(decode_update(encoded)), encoded)

    def _order(self, event: Event, update: bytes) -> None:
        self._now_ms += 1
        for effect in self._sequencer.handle(self._orders, event, self._now_ms):
            if isinstance(effect, Append):
                updates = [update] if update else []
                self._fold(encode_entry(effect.entry, updates))

    def _fold(self, entry: bytes) -> None:
        for effect in self._model.handle(self._folds, EntryArrived(decode_entry(entry))):
            if isinstance(effect, PublishWeights):
                for part in split(encode_frame(effect.frame)):
                    self._take(part)
        self._model_log.take(self._model_state, entry, self._base)

    def _base(self) -> bytes:
        self.bases += 1
        return encode_snapshot(self._model.snapshot(self._folds, 0), {})

    def _take(self, part: bytes) -> None:
        message = self._assembler.add(part)
        if message is None:
            return
        whole = peek_frame(message).parent is None
        self._trainer.handle(self._learns, FrameArrived(decode_frame(message)))
        store = self._frame_log.replace if whole else self._frame_log.append
        store(self._frame_state, message)
        self.frames.append((whole, len(message)))


def _zipf(bits: int, count: int, rng: np.random.Generator) -> Samples:
    """``count`` samples of features whose ranks follow Zipf's law with exponent 1.1."""
    return _samples(rng.zipf(1.1, count * NON_ZEROS) % (1 << bits), NON_ZEROS, rng)


def _samples(keys: np.ndarray, each: int, rng: np.random.Generator) -> Samples:
    count = len(keys) // each
    return Samples(
        np.arange(count + 1, dtype=np.int64) * each,
        keys,
        np.ones(len(keys)),
        np.zeros(len(keys), np.bool_),
        rng.integers(2, size=count).astype(np.float64),
        np.ones(count),
        np.arange(count, dtype=np.int64),
        {},
    )


def figures(merges: int) -> Iterator[dict[str, Any]]:
    """2**20 and 2**22 features, small batches and large ones."""
    for bits in (20, 22):
        for samples in (100, 5_000):
            yield measure(bits, samples, merges)
