"""100 classes of images through Kafka and Flink into one network: accuracy, time and memory."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import psutil

from benchmarks import streams
from benchmarks.encodings import arrow_records
from benchmarks.measuring import Watch, loop_s
from benchmarks.streamed import Streamed, streamed
from flink_ol.client import Model, SampleWriter, SnapshotReader

_HELD_OUT = 2_000  # images that nobody learns
_SLOTS, _HEAP_MIB = 2, 1536  # of a TaskManager; models and updates on their way are in its heap
_SILENT_S = 240.0  # without a metrics message


class Plan(NamedTuple):
    """What is learned, and how."""

    workers: int
    images: int  # to learn
    hidden: tuple[int, ...]
    dropout: float
    window_ms: int
    contrast: float  # of the pictures under their noise
    images_each: int  # in a message, of which at most a hundred are a batch
    mode: str = "local"


def measure(plan: Plan, tell: Callable[[str], None]) -> dict[str, Any]:
    """One pass over the images: figures from submitting the job to the last image in the model.

    ``tell``: what is to be known while it runs. Raises TimeoutError if nothing comes any more.
    """
    held_out, learned = _drawn(plan)
    with streamed(
        "images",
        slots=min(plan.workers, _SLOTS),
        task_managers=-(-plan.workers // _SLOTS),
        heap_mib=_HEAP_MIB,
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
        samples={"partitions": plan.workers, "format": "arrow"},
        training={
            "mode": plan.mode,
            "workers": plan.workers,
            "batch_window_ms": plan.window_ms,
        },
        snapshots={"interval_ms": 10_000},
        checkpoints={"interval_ms": 20_000},
        metrics={"interval_ms": 1_000},
    ) as job:
        with SampleWriter(job.connection) as writer:
            for block in learned:
                writer.send_many(arrow_records(block, plan.images_each))
        roots = _processes(job)
        began = time.monotonic()
        with Watch(lambda: roots, children="python") as watch:
            job.submit()
            marks = _awaited(job, plan.images, began, tell)
            seconds = time.monotonic() - began
            cpu = job.cpu_seconds()
            model = _model_of(job, plan.images)
    assert held_out.x is not None
    right = model.predict(held_out.x.astype(np.float64)) == held_out.y
    (first, first_s), (last, last_s) = marks[0], marks[-1]
    steady = (last["samples"] - first["samples"]) / max(last_s - first_s, 0.001)
    return {
        **plan._asdict(),
        "accuracy_held_out": round(float(right.mean()), 4),
        "accuracy_progressive": round(last["metrics"]["accuracy"], 4),
        "updates": last["model"]["version"],
        "seconds_from_submission": round(seconds, 1),
        "seconds_to_the_first": round(first_s, 1),
        "images_per_s": round(steady),
        "cpu_ms_per_image": {
            kind: round(spent / plan.images * 1000, 2) for kind, spent in cpu.items()
        },
        "peak_memory_mib": max(use.memory_bytes for use in watch.uses) >> 20,
        "loop_s": round(loop_s(), 3),
    }


def _processes(job: Streamed) -> dict[str, list[psutil.Process]]:
    """All of the stack's; the Python workers are Flink's children."""
    return {"java": [psutil.Process(member.pid) for member in job.stack.status().members]}


def _awaited(
    job: Streamed, images: int, began: float, tell: Callable[[str], None]
) -> list[tuple[dict[str, Any], float]]:
    """Metrics messages with samples, and when each came, until one tells of all ``images``."""
    marks = []
    for message in job.metrics(_SILENT_S):
        after_s = time.monotonic() - began
        done = message["samples"] + message["rejected"]
        version = message["model"]["version"]
        now = message["metrics"].get("window", {}).get("accuracy", 0.0)
        tell(f"{after_s:.0f} s: {done:,} images, {now:.3f} of the newest right, version {version}")
        tell(f"    updates by how far behind they were (1, 2, 4, ...): {message.get('lags')}")
        if done:
            marks.append((message, after_s))
        if done >= images:
            return marks
    raise TimeoutError(f"no metrics message for {_SILENT_S:.0f} s; see the job's logs")


def _drawn(plan: Plan) -> tuple[streams.Block, Iterator[streams.Block]]:
    blocks = streams.images(contrast=plan.contrast)
    held_out = list(itertools.islice(blocks, _HELD_OUT // streams.IMAGE_BLOCK))
    x = np.concatenate([block.x for block in held_out if block.x is not None])
    y = np.concatenate([block.y for block in held_out])
    whole = -(-plan.images // streams.IMAGE_BLOCK)
    return streams.Block((), x, False, y), itertools.islice(blocks, whole)


def _model_of(job: Streamed, images: int) -> Model:
    """The first model that holds all images."""
    with SnapshotReader(job.connection) as reader:
        for model in reader.follow(timeout_s=60.0):
            if sum(account.samples for account in model.ledger.values()) >= images:
                return model
    raise TimeoutError(f"no snapshot holds {images:,} images")
