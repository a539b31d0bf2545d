"""The dead man's switch: quiet once all is answered, and what it does about lost frames."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from flink_ol.core.config import Learning
from flink_ol.core.training import Async, Bounded, Exact, Local, Sync
from flink_ol.operators import sequencer, trainer
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


@pytest.mark.parametrize(
    "training",
    [
        Sync(round_samples=4),
        Sync(round_samples=4, round_timeout_ms=None),
        Bounded(update_samples=4, staleness=1),
    ],
    ids=["sync", "steady", "bounded"],
)
def test_a_lost_frame_is_asked_for_again(training: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    records = [(i, orjson.dumps({"x": {"a": i}, "y": i % 2})) for i in range(40)]
    job = JobInMemory(Learning(task="binary"), training, 1, {0: records})
    clock = SimpleNamespace(
        time_ns=lambda: job.now_ms * 1_000_000, monotonic_ns=lambda: job.now_ms * 1_000_000
    )
    monkeypatch.setattr(sequencer, "time", clock)
    monkeypatch.setattr(trainer, "time", clock)
    job.crash()  # the next life has this clock
    job.turn(4)
    job.batch(0, 36)
    for _ in range(3):
        job.tick(20)
        job.failed_checkpoint()
        job.lose(0, 1_000)  # whatever it would see of what came of it
    job.settle()
    job.tick(30_000)
    job.settle()
    account = job.model[0].function._state.ledger[0]
    assert account.learned.count == 40
    assert job.trainers[0].function._silence._since is None
