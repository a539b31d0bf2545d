"""The dead man's switch: quiet once every update is answered, and where none ever is."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from flink_ol.core.config import Learning
from flink_ol.core.training import Async, Bounded, Exact, Local, Sync
from tests.operators.job_in_memory import JobInMemory

RECORDS = {0: [(i, orjson.dumps({"x": {"a": i}, "y": i % 2})) for i in range(12)]}


@pytest.mark.parametrize(
    "training",
    [Local(), Exact(), Async(), Bounded(), Sync(round_samples=4)],
    ids=lambda training: training.mode,
)
def test_no_weights_are_missed_once_all_is_learned(training: Any) -> None:
    job = JobInMemory(Learning(task="binary"), training, 1, RECORDS)
    job.turn(6)
    job.settle()
    (trainer,) = job.trainers
    assert trainer.function._state.greeted
    assert trainer.function._silence._since is None
