"""Handwritten digits by a network, in rounds: as good as scikit-learn, however many workers."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from sklearn.datasets import load_digits

from flink_ol.client import Model
from flink_ol.local.stack import Stack
from flink_ol.wire.model_file import encode_snapshot
from tests.integration.test_modes_streamed import await_round
from tests.running_job import RunningJob, ledger_of

LEARNED, PASSES, PARTITIONS, BATCH = 1_347, 20, 4, 32
# MLPClassifier((128,), batch_size=32) of scikit-learn 1.9.1, 20 passes over the same rows divided
# by 16, the mean of ten seeds
REFERENCE = 0.9162


@pytest.mark.battery
@pytest.mark.parametrize("crews", [(1, 2), (4,)], ids=str)
def test_digits_are_told_apart_as_well_as_by_scikit_learn(
    stack: Stack, tmp_path: Path, job_name: str, crews: tuple[int, ...]
) -> None:
    X, y = load_digits(return_X_y=True)
    records = [
        orjson.dumps({"x": row, "y": int(label)})
        for row, label in zip((X / 16).tolist(), y.tolist(), strict=True)
    ]
    jobs = []
    for workers in crews:
        job = RunningJob(
            stack,
            tmp_path,
            f"{job_name}-{workers}",
            samples={"partitions": PARTITIONS},
            task="multiclass",
            classes=10,
            model={"family": "mlp", "hidden": [128], "inputs": 64},
            optimizer={"name": "adam", "learning_rate": 0.001},
            training={
                "mode": "sync",
                "workers": workers,
                "passes": PASSES,
                "round_samples": BATCH // PARTITIONS,
                "round_timeout_ms": None,
            },
            snapshots={"interval_ms": 2000},
        )
        job.feed(records[:LEARNED])
        job.submit()
        jobs.append(job)
    rounds = PASSES * -(-LEARNED // BATCH)
    for job in jobs:
        snapshot = await_round(job, rounds, timeout_s=400)
        assert ledger_of(snapshot) == job.expected_ledger()
        path = tmp_path / f"{job.spec.name}.model"
        path.write_bytes(encode_snapshot(snapshot, {}))
        model = Model.load(path)
        right = model.predict(X[LEARNED:] / 16) == y[LEARNED:]
        assert right.mean() >= REFERENCE, job.spec.training.workers
