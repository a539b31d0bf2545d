"""100 classes of images through Kafka and Flink into one network: accuracy, time and memory."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from benchmarks import streams
from benchmarks.encodings import arrow_records
from benchmarks.streamed import Streamed, await_samples, streamed
from flink_ol.client import Model, SampleWriter, SnapshotReader

_HELD_OUT = 2_000  # images that nobody learns
_SILENT_S = 600.0


class Plan(NamedTuple):
    """What is learned, and how."""

    workers: int
    images: int  # to learn
    hidden: tuple[int, ...]
    dropout: float
    window_ms: int
    mode: str = "local"


def measure(plan: Plan) -> dict[str, Any]:
    """One pass over the images: figures from submitting the job to the last image in the model."""
    held_out, learned = _drawn(plan.images)
    with streamed(
        "images",
        slots=plan.workers,
        task="multiclass",
        classes=streams.IMAGE_CLASSES,
        model={
            "family": "mlp",
            "hidden": list(plan.hidden),
            "dropout": plan.dropout,
            "inputs": int(np.prod(streams.IMAGE_SHAPE)),
            "dtype": "float32",
        },
        optimizer={"name": "adam", "learning_rate": 0.001},
        samples={"partitions": 8, "format": "arrow"},
        training={
            "mode": plan.mode,
            "workers": plan.workers,
            "batch_window_ms": plan.window_ms,
        },
        weights={"interval_ms": plan.window_ms},
        snapshots={"interval_ms": 10_000},
        metrics={"interval_ms": 1_000},
    ) as job:
        with SampleWriter(job.connection) as writer:
            for block in learned:
                writer.send_many(arrow_records(block))
        began = time.monotonic()
        job.submit()
        messages = await_samples(job, plan.images, _SILENT_S)
        seconds = time.monotonic() - began
        memory = job.stack.status().memory_mib
        cpu = job.cpu_seconds()
        model = _model_of(job, plan.images)
    assert held_out.x is not None
    right = model.predict(held_out.x.astype(np.float64)) == held_out.y
    first, last = messages[0], messages[-1]
    steady = (last["samples"] - first["samples"]) / max(last["time_ms"] - first["time_ms"], 1)
    return {
        **plan._asdict(),
        "accuracy_held_out": round(float(right.mean()), 4),
        "accuracy_progressive": round(last["metrics"]["accuracy"], 4),
        "seconds_from_submission": round(seconds, 1),
        "images_per_s": round(1000 * steady),
        "cpu_ms_per_image": {
            kind: round(spent / plan.images * 1000, 2) for kind, spent in cpu.items()
        },
        "memory_mib": memory,
    }


def _drawn(images: int) -> tuple[streams.Block, Iterator[streams.Block]]:
    blocks = streams.images()
    held_out = list(itertools.islice(blocks, _HELD_OUT // streams.IMAGE_BLOCK))
    x = np.concatenate([block.x for block in held_out if block.x is not None])
    y = np.concatenate([block.y for block in held_out])
    whole = -(-images // streams.IMAGE_BLOCK)
    return streams.Block((), x, False, y), itertools.islice(blocks, whole)


def _model_of(job: Streamed, images: int) -> Model:
    """The first model that holds all images."""
    with SnapshotReader(job.connection) as reader:
        for model in reader.follow(timeout_s=60.0):
            if sum(account.samples for account in model.ledger.values()) >= images:
                return model
    raise TimeoutError(f"no snapshot holds {images:,} images")
