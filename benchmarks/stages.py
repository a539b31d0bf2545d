"""What each stage in Python costs alone: the functions that the operators call, one after another.

The same calls in the same order as the job's with one worker, on one core, without Flink around.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple, ParamSpec, TypeVar

import numpy as np
import orjson
import pyarrow as pa
from pyarrow.json import ReadOptions, read_json

from benchmarks.workloads import WORKLOADS, records, samples_each
from flink_ol.core import model as models
from flink_ol.core import sequencer as sequencers
from flink_ol.core import trainer as trainers
from flink_ol.core.learner import Learner
from flink_ol.core.messages import WEIGHTS, Entry, Worker
from flink_ol.core.model import Model
from flink_ol.core.modes.local import LocalSequencer, LocalTrainer
from flink_ol.core.sequencer import SequencerState
from flink_ol.job.spec import Spec
from flink_ol.wire.entries import decode_entry, encode_entry
from flink_ol.wire.formats import sample_format
from flink_ol.wire.frames import decode_frame, encode_frame
from flink_ol.wire.updates import decode_update, encode_update

_WARM_UP = 3  # batches: numba compiles or loads, tables grow
_P = ParamSpec("_P")
_T = TypeVar("_T")


class Stages(NamedTuple):
    """CPU seconds of each stage, and what they were for."""

    samples: int
    cpu_s: dict[str, float]
    record_bytes: float
    update_bytes: float
    frame_bytes: float


class _Loop:
    """Trainer, sequencer and model taking turns, through the bytes that they send each other."""

    def __init__(self, spec: Spec) -> None:
        self._decoder = sample_format(spec.samples.format, spec.samples.fields, spec.learning)
        learner = Learner(spec.learning, spec.metrics.evaluation)
        self._trainer = LocalTrainer(learner)
        self._sequencer = LocalSequencer(spec.learning, {WEIGHTS: 0})
        self._model = Model(learner, spec.name, spec.hash)
        self._trainer_state = self._trainer.initial(Worker(0, 1))
        self._sequencer_state, self._model_state = SequencerState(), self._model.initial()
        self.forget()

    def forget(self) -> None:
        """Count from here on."""
        self.cpu_s: dict[str, float] = defaultdict(float)
        self.samples = self.update_bytes = self.frame_bytes = 0

    def batch(self, payloads: list[bytes], offsets: np.ndarray, count: int) -> None:
        """Learn from one batch of ``count`` samples, merge, fold, send back."""
        samples, rejections = self._timed("decode", self._decoder.decode, payloads, offsets)
        arrived = trainers.BatchArrived(0, samples, rejections, int(offsets[0]))
        self.samples += count
        for effect in self._timed("learn", self._trainer.handle, self._trainer_state, arrived):
            if isinstance(effect, trainers.SayHello):
                self._order(sequencers.HelloArrived(effect.hello), b"")
            elif isinstance(effect, trainers.SendUpdate):
                payload = self._timed("pack", encode_update, effect.update)
                self.update_bytes += len(payload)
                update = self._timed("pack", decode_update, payload)
                self._order(sequencers.UpdateArrived(update), payload)

    def _order(self, event: sequencers.Event, payload: bytes) -> None:
        now_ms = time.time_ns() // 1_000_000
        state = self._sequencer_state
        for effect in self._timed("merge", self._sequencer.handle, state, event, now_ms):
            if isinstance(effect, sequencers.Append):
                entry = self._timed(
                    "pack", encode_entry, effect.entry, [payload] if payload else []
                )
                self._fold(self._timed("pack", decode_entry, entry))

    def _fold(self, entry: Entry) -> None:
        arrived = models.EntryArrived(entry)
        for effect in self._timed("fold", self._model.handle, self._model_state, arrived):
            if isinstance(effect, models.PublishWeights):
                encoded = self._timed("emit", encode_frame, effect.frame)
                self.frame_bytes += len(encoded)
                frame = trainers.FrameArrived(self._timed("emit", decode_frame, encoded))
                self._timed("emit", self._trainer.handle, self._trainer_state, frame)

    def _timed(self, stage: str, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        began = time.process_time_ns()
        result = call(*args, **kwargs)
        self.cpu_s[stage] += (time.process_time_ns() - began) / 1e9
        return result


def measure(workload: str, encoding: str, batch: int, batches: int) -> Stages:
    """``batches`` of ``batch`` records each; every update gives one frame."""
    made = records(workload, encoding, batch * (batches + _WARM_UP))
    each = samples_each(workload, encoding)
    size = max(1, batch // each)
    loop = _Loop(_spec(workload, encoding))
    for number in range(batches + _WARM_UP):
        if number == _WARM_UP:
            loop.forget()
        first = number * size
        payloads = [made[i % len(made)] for i in range(first, first + size)]
        loop.batch(payloads, np.arange(first, first + size, dtype=np.int64), size * each)
    return Stages(
        loop.samples,
        dict(loop.cpu_s),
        sum(map(len, made)) / len(made) / each,
        loop.update_bytes / batches,
        loop.frame_bytes / batches,
    )


def _spec(workload: str, encoding: str) -> Spec:
    return Spec.model_validate(
        {"name": "stages", "samples": {"format": encoding}, **WORKLOADS[workload].spec}
    )


def limits(workload: str, encoding: str) -> dict[str, float]:
    """What the machine itself allows, CPU microseconds a sample.

    fetch, gather, cross: the record's bytes are copied once in memory. decode: the fastest general
    reader at hand, on one document of all records (JSON: orjson or Arrow's; text: splitting it
    into words; Arrow: a copy of the values). learn: every value of a sample is read once.
    """
    made = records(workload, encoding, 500 if WORKLOADS[workload].kind == "image" else 50_000)
    count = len(made) * samples_each(workload, encoding)
    text = b"\n".join(made)
    copy_us = _best_us(np.frombuffer(text, np.uint8).copy, count)
    spec = _spec(workload, encoding)
    decoder = sample_format(spec.samples.format, spec.samples.fields, spec.learning)
    samples, _ = decoder.decode(made, np.arange(len(made), dtype=np.int64))
    values = np.array(samples.values)
    found = {"fetch": copy_us, "gather": copy_us, "cross": copy_us}
    found["learn"] = _best_us(values.sum, count)
    readers: list[Callable[[], Any]] = [text.split]
    if encoding == "arrow":
        readers = [values.copy]  # the arrays are there; they are only put together
    elif encoding == "json":
        document = b"[" + b",".join(made) + b"]"
        readers = [lambda: orjson.loads(document)]
        if WORKLOADS[workload].kind == "numbers":  # others have another column in every record
            readers.append(lambda: read_json(pa.BufferReader(text), ReadOptions(use_threads=False)))
    found["decode"] = min(_best_us(reader, count) for reader in readers)
    return found


def _best_us(call: Callable[[], Any], samples: int, repeats: int = 5) -> float:
    spent = []
    for _ in range(repeats):
        began = time.process_time_ns()
        call()
        spent.append(time.process_time_ns() - began)
    return min(spent) / 1000 / samples
