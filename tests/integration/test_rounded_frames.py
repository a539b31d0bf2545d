"""Rounded weights frames on a real broker and a real cluster."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from flink_ol.core.messages import Frame, Snapshot
from flink_ol.core.rounded_frames import taken, view_of
from flink_ol.core.state import ArraySpec, Delta, State
from flink_ol.local.stack import Stack
from flink_ol.wire.frames import decode_frame
from flink_ol.wire.model_file import decode_snapshot
from flink_ol.wire.parts import Assembler
from tests.running_job import RunningJob, ledger_of

SPECS = (ArraySpec("weights", (1,), "mean"),)
FEATURES, SAMPLES = 8_000, 48_000


def test_what_frames_add_up_to_is_the_model_but_for_one_rounding(
    stack: Stack, tmp_path: Path, job_name: str
) -> None:
    rng = np.random.default_rng(3)
    truth = rng.normal(size=FEATURES)
    records = []
    for keys in rng.integers(FEATURES, size=(SAMPLES, 20)):
        label = int(truth[keys].sum() > 0)
        records.append(orjson.dumps({"x": {f"f{key}": 1.0 for key in keys}, "y": label}))
    job = RunningJob(
        stack,
        tmp_path,
        job_name,
        samples={"partitions": 2},
        features={"scale": "none", "hash_bits": 20},
        optimizer={"name": "sgd", "learning_rate": 0.1},
        training={"mode": "local", "workers": 2},
        weights={"numbers": "int8"},
    )
    job.submit()
    job.feed(records, rate=4_000)
    snapshot = job.await_samples(SAMPLES)
    assert ledger_of(snapshot) == job.expected_ledger()
    assert job.restarts() == 0

    # a reader outside Flink, who knows no more than the topics
    models = {snapshot.frame.version: snapshot.frame for snapshot in snapshots(job)}
    assembler, view, held = Assembler(), None, None
    compared = 0
    wholes = changes = 0
    for record in all_frames(job):
        message = assembler.add(record.value)
        if message is None:
            continue
        frame: Frame = decode_frame(message)
        if frame.parent is None:
            wholes += 1
            view = view_of(SPECS, frame.codes, frame.keys, frame.arrays)
        else:
            changes += 1
            assert (frame.parent, frame.codes) == (held, {"weights": "int8"})
            assert view is not None
            taken(view, Delta(frame.keys, {"weights": frame.arrays["weights"]}))
        held = frame.version
        if held in models:
            compared += 1
            check(view, models[held])
    assert view is not None
    assert changes > 3
    assert wholes > 1
    assert compared > 0
    check(view, snapshot.frame)  # after the last sample nothing changes


def all_frames(job: RunningJob) -> list[Any]:
    """The weights topic once nothing more comes: a frame may wait for trainers, 5 s at most."""
    records = job.read("weights", committed=False)
    while True:
        time.sleep(7.0)
        before, records = len(records), job.read("weights", committed=False)
        if len(records) == before:
            return records


def snapshots(job: RunningJob) -> Iterator[Snapshot]:
    """All that the topic still holds."""
    assembler = Assembler()
    for record in job.read("snapshots"):
        if record.value is not None and (message := assembler.add(record.value)) is not None:
            yield decode_snapshot(message)


def check(view: State, model: Frame) -> None:
    slots = view.vocabulary.find(model.keys)
    assert len(slots) == view.vocabulary.size
    assert len(slots) == 0 or slots.min() >= 0
    error = np.abs(view.arrays["weights"][slots] - model.arrays["weights"])
    assert error.max(initial=0.0) <= 0.01 * np.abs(model.arrays["weights"]).max(initial=0.0)
