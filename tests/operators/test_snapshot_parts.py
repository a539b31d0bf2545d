"""Snapshots on a compacted topic: nothing stays of those that were taken off."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import orjson
import pytest

from flink_ol.core.config import Expiry, Features, Learning
from flink_ol.core.training import Local
from flink_ol.operators import model
from flink_ol.wire.parts import split
from tests.operators.job_in_memory import JobInMemory


def records(count: int) -> dict[int, list[tuple]]:
    """Many features that come once, then two that come again and again."""
    rng = np.random.default_rng(4)
    found: list[tuple] = []
    for offset in range(count):
        names = [f"f{offset}-{j}" for j in range(60)] if offset < 5 else ["a", "b"]
        x = {name: rng.normal() for name in names}
        found.append((offset, orjson.dumps({"x": x, "y": int(rng.integers(2))})))
    return {0: found}


def test_a_model_that_shrinks_leaves_no_parts_of_its_older_snapshots(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(model, "split", partial(split, part_bytes=2_000))
    features = Features(scale="none", expiry=Expiry(untouched_ms=2_000))
    job = JobInMemory(Learning(task="binary", features=features), Local(), 1, records(60))
    topic: dict[bytes, Any] = {}
    parts: list[int] = []
    publisher = job.model[0].broadcast_element

    def publish(entry: bytes) -> list[Any]:
        emitted = publisher(entry)
        for tag, row in emitted:
            if tag.tag_id == "snapshots":
                topic[row[0]] = row[1]  # as compaction leaves it
        if told := {key for key, value in topic.items() if value is not None}:
            parts.append(len(told))
        return emitted

    monkeypatch.setattr(job.model[0], "broadcast_element", publish)
    for _ in range(60):
        job.turn(1)
        job.tick(100)
    job.settle()
    kept = {key.rpartition(b".")[0] for key, value in topic.items() if value is not None}
    assert max(parts) > 3 * 3
    assert len(kept) == 3
