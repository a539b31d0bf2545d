"""The sequencer's last defence: an update with a number that is not finite stays out."""

from __future__ import annotations

import numpy as np
import pytest

from flink_ol.core.config import Sgd
from flink_ol.core.learner import Learner
from flink_ol.core.sequencer import UpdateArrived
from flink_ol.core.training import Async, Bounded, Local, Sync, Training
from tests.core.mode_job import ModeJob
from tests.core.test_modes import binary, inputs

SIZE = 10


def spoil(job: ModeJob) -> None:
    """Of the updates on the way, the first is damaged."""
    for place, event in enumerate(job.channel):
        if isinstance(event, UpdateArrived):
            arrays = {**event.update.delta.arrays, "intercept": np.array([np.nan])}
            delta = event.update.delta._replace(arrays=arrays)
            job.channel[place] = UpdateArrived(event.update._replace(delta=delta))
            return
    raise AssertionError("no update is on the way")


@pytest.mark.parametrize(
    "training",
    [
        Local(workers=2),
        Sync(workers=2, round_samples=SIZE),
        Bounded(workers=2),
        Async(workers=2),
    ],
    ids=lambda training: training.mode,
)
@pytest.mark.parametrize("shards", [1, 2])
def test_a_spoilt_update_is_rejected_and_the_job_goes_on(training: Training, shards: int) -> None:
    job = ModeJob(Learner(binary()), training, inputs(*[2 * SIZE] * shards))
    for partition in job.inputs:
        job.feed(partition, SIZE)
    spoil(job)
    job.settle()
    first = job.state.ledger[0]
    assert (first.learned.count, first.rejected.count) == (0, SIZE)
    for partition in job.inputs:
        job.feed(partition, SIZE)
    job.settle()
    accounts = job.state.ledger.values()
    assert sum(account.learned.count for account in accounts) == 2 * SIZE * shards - SIZE
    assert job.arrays()["steps"][0] == 2 * SIZE * shards - SIZE
    assert np.isfinite(job.arrays()["weights"]).all()


def test_features_of_a_step_that_led_too_far_have_their_names() -> None:
    """They stay in the model and its frames, so no trainer tells them again."""
    learning = binary(Sgd(learning_rate=1e308, intercept_learning_rate=None))
    job = ModeJob(Learner(learning), Async(workers=1), inputs(SIZE))
    job.inputs[0].values[:] *= 1e3
    job.feed(0, SIZE)
    job.settle()
    assert job.state.ledger[0].rejected.count == SIZE
    keys = job.state.arrays.vocabulary.keys.tolist()
    assert keys
    assert sorted(job.state.names.first) == sorted(keys)
