"""The classical linear regression of ten numbers: its samples, and what a job makes of it."""

from __future__ import annotations

import numpy as np
import orjson

from flink_ol.core.messages import Snapshot
from flink_ol.wire.metrics import decode_metrics
from tests.running_job import RunningJob


def regression(seed: int, count: int) -> tuple[np.ndarray, np.ndarray, list[bytes]]:
    """10 numbers with a noisy linear rule: X (count, 10), y (count,) and the records."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(count, 10))
    y = X @ np.arange(1.0, 11.0) + 2.0 + rng.normal(size=count)
    rows = zip(X.tolist(), y.tolist(), strict=True)
    return X, y, [orjson.dumps({"x": row, "y": label}) for row, label in rows]


def weights_of(snapshot: Snapshot) -> np.ndarray:
    """The weights of features "0" to "9", (10,) float64."""
    keys = {name: key for key, name in snapshot.names.items()}
    places = {int(key): place for place, key in enumerate(snapshot.frame.keys)}
    weights = snapshot.frame.arrays["weights"]
    return np.array([weights[places[keys[str(feature)]], 0] for feature in range(10)])


def losses_told(job: RunningJob) -> list[tuple[int, float]]:
    """(round, root mean squared error) as often as the metrics topic has them; it may repeat."""
    told = [decode_metrics(record.value) for record in job.read("metrics")]
    rounds = [one["round"] for one in told if "rmse" in one.get("round", {})]
    return [(one["number"], one["rmse"]) for one in rounds]
