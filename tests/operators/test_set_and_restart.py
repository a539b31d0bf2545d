"""Settings that change in mode exact: the learner has the model's bits after a restart too."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pytest
from pyflink.common import Row

from flink_ol.core.config import Features, Ftrl, Learning
from flink_ol.core.training import Exact
from flink_ol.operators import states
from tests.operators.job_in_memory import JobInMemory


def records(count: int) -> dict[int, list[tuple]]:
    rng = np.random.default_rng(4)
    found: list[tuple] = []
    for offset in range(count):
        # each feature is met by one third of the stream
        names = [f"f{3 * j + offset * 3 // count}" for j in range(4)]
        x = {name: rng.normal() for name in names}
        found.append((offset, orjson.dumps({"x": x, "y": int(rng.integers(2))})))
    return {0: found}


def tell(job: JobInMemory, values: dict[str, Any]) -> None:
    command = orjson.dumps({"command": "set", "values": values})
    job._append(job.sequencer.element(Row(states.COMMAND, command), 0))


@pytest.mark.parametrize("refresh", ["fresh", "late"])
@pytest.mark.parametrize("back", [True, False])
def test_the_learner_goes_on_from_the_models_weights_after_a_restart(
    refresh: Any, back: bool
) -> None:
    learning = Learning(
        task="binary",
        features=Features(scale="none"),
        optimizer=Ftrl(alpha=0.5, l1=0.01, refresh=refresh),
    )
    job = JobInMemory(learning, Exact(workers=1), 1, records(90))
    job.turn(30)
    tell(job, {"optimizer.l1": 0.3})
    job.turn(30)
    if back:
        tell(job, {"optimizer.l1": 0.01})
    job.turn(10)
    job.checkpoint()
    job.crash()
    job.turn(20)
    job.settle()
    model, learned = job.model[0].function._state.arrays, job.sequencer.function._state.learned
    assert np.array_equal(model.vocabulary.keys, learned.vocabulary.keys)
    for spec in model.specs:
        assert model.rows(spec.name).tobytes() == learned.rows(spec.name).tobytes(), spec.name
