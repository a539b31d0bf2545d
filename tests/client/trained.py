"""A small trained model of each task, and the file that a job would publish of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson

from flink_ol.core.config import Learning
from flink_ol.core.evaluation import metrics
from flink_ol.core.learner import Learner
from flink_ol.core.loop import Loop
from flink_ol.core.messages import Snapshot, Version
from flink_ol.wire.formats import sample_format
from flink_ol.wire.json_samples import JsonFields
from flink_ol.wire.model_file import encode_snapshot

BINARY = {"task": "binary"}
NAMED = {"task": "binary", "classes": ["no", "yes"]}
MULTICLASS = {"task": "multiclass", "classes": ["red", "green", "blue"]}
REGRESSION = {"task": "regression"}
TASKS = (BINARY, NAMED, MULTICLASS, REGRESSION)


def learning_of(task: dict[str, Any], **sections: Any) -> Learning:
    """The settings for ``task``."""
    return Learning.from_json({**task, **sections})


def records_of(learning: Learning, count: int = 60, seed: int = 5) -> list[bytes]:
    """JSON samples with two numbers and a category; some lack the second number."""
    rng = np.random.default_rng(seed)
    records = []
    for _ in range(count):
        x: dict[str, Any] = {
            "size": rng.normal(3, 2),
            "age": rng.normal(),
            "kind": "ab"[rng.integers(2)],
        }
        signal = x["size"] - 3 + (x["kind"] == "a") + 0.2 * rng.normal()
        if rng.random() < 0.2:
            del x["age"]
        records.append(orjson.dumps({"x": x, "y": _label(learning, signal)}))
    return records


def _label(learning: Learning, signal: float) -> Any:
    if learning.task == "regression":
        return signal
    index = int(np.searchsorted([0.0, 1.5], signal)) if learning.class_count > 2 else signal > 0
    return learning.classes[int(index)] if isinstance(learning.classes, tuple) else int(index)


def snapshot_of(learning: Learning, records: Sequence[bytes], batches: int = 3) -> Snapshot:
    """The model after ``records``, learned in some batches."""
    decoder = sample_format("json", JsonFields(), learning)
    loop = Loop(Learner(learning), "shop", "0" * 64, lambda: 1_700_000_000_000)
    for part in np.array_split(np.arange(len(records)), batches):
        samples, rejections = decoder.decode([records[i] for i in part], part.astype(np.int64))
        loop.batch(0, samples, rejections)
    return loop.snapshot()


def file_of(snapshot: Snapshot, version: Version | None = None) -> bytes:
    """The snapshot as a file, at another version if given."""
    learning = Learning.from_json(snapshot.learning)
    if version is not None:
        snapshot = snapshot._replace(frame=snapshot.frame._replace(version=version))
    return encode_snapshot(snapshot, metrics(snapshot.sums, learning) if snapshot.sums else {})
