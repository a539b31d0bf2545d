"""River 0.26 as second witness: same stream, same parameters, same weights to 1e-9.

The references are River's own numbers; tests/references tells how they are made.
"""

from __future__ import annotations

import json
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flink_ol.core.config import Learning
from flink_ol.core.evaluation import metrics
from flink_ol.core.features.hashing import feature_key
from flink_ol.core.features.scaling import COUNT, DEVIATIONS, MEAN
from flink_ol.core.learner import Learner
from flink_ol.core.loop import Loop
from flink_ol.core.messages import Snapshot
from flink_ol.core.samples import Samples
from tests.core.streams import samples_of
from tests.references.river_cases import INTERCEPT_RATE, OPTIMIZERS, STREAMS, Case, cases, stream

_FILE = Path(__file__).parents[1] / "references" / "river.json"
# beside 1e-9 relative: a weight that has all but cancelled is compared on the scale of the others
_CANCELLED = 1e-12
# River's own conventions where ours has a choice
_AS_RIVER: dict[str, dict[str, Any]] = {"ftrl": {"refresh": "late"}}


each = pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in cases()])


@pytest.fixture(scope="module")
def river() -> Any:
    return json.loads(_FILE.read_text())


def settings(case: Case) -> Learning:
    samples = stream(case.stream, case.scaled)
    multiclass = samples.task == "multiclass"
    fields = {
        "name": case.optimizer,
        **OPTIMIZERS[case.optimizer],
        **_AS_RIVER.get(case.optimizer, {}),
        "intercept_learning_rate": INTERCEPT_RATE,
    }
    return Learning.from_json(
        {
            "task": samples.task,
            "classes": samples.classes if multiclass else None,
            "features": {
                "scale": "standard" if case.scaled else "none",
                "intercept": not multiclass,  # River's softmax has none
            },
            "optimizer": fields,
        }
    )


@cache
def encoded(name: str, scaled: bool) -> Samples:
    source = stream(name, scaled)
    rows = [
        [
            (feature_key(f"{feature}={value}"), 1.0, False)
            if isinstance(value, str)
            else (feature_key(feature), value, True)
            for feature, value in row.items()
        ]
        for row in source.rows
    ]
    return samples_of(rows, source.labels)


def learned(case: Case) -> tuple[Snapshot, dict[str, Any]]:
    """The model after one pass, in batches of uneven size, and its progressive metrics."""
    learning = settings(case)
    loop = Loop(Learner(learning), "river", "none", lambda: 0)
    samples = encoded(case.stream, case.scaled)
    edges = [0, 1, 2, 50, *range(101, len(samples), 97), len(samples)]
    for start, end in pairwise(edges):
        assert loop.batch(0, samples.rows(start, end)) == []
    snapshot = loop.snapshot()
    return snapshot, metrics(snapshot.sums, learning)


@pytest.mark.parametrize("scale", ["standard", "none"])
@pytest.mark.parametrize("name", STREAMS)
def test_the_stream_is_the_one_that_river_learned(name: str, scale: str, river: Any) -> None:
    assert stream(name, scale == "standard").digest == river[f"digest {name} {scale}"]


@each
def test_weights_and_metrics_are_those_of_river(case: Case, river: Any) -> None:
    theirs = river[case.name]
    snapshot, figures = learned(case)
    frame = snapshot.frame
    row = {int(key): i for i, key in enumerate(frame.keys)}
    order = [row[feature_key(name)] for name in theirs["weights"]]
    assert len(order) == len(row)
    weights = np.array(list(theirs["weights"].values())).reshape(len(order), -1)
    ours = frame.arrays["weights"][order]
    if case.optimizer == "nesterov":  # ours are the weights ahead; River scores other weights
        parameters = OPTIMIZERS["nesterov"]
        ahead = parameters["momentum"] * parameters["learning_rate"]
        close(ours + ahead * frame.arrays["velocity"][order], weights)
        return
    close(ours, weights)
    close(frame.arrays["intercept"], theirs.get("intercept", [0.0] * weights.shape[1]))
    for name in ("accuracy", "log_loss", "mae", "rmse"):
        assert (name in figures) == (name in theirs)
        if name in theirs:
            np.testing.assert_allclose(figures[name], theirs[name], rtol=1e-9, err_msg=name)


@pytest.mark.parametrize("name", STREAMS)
def test_the_scaler_is_that_of_river(name: str, river: Any) -> None:
    case = Case(name, "sgd", True)
    frame = learned(case)[0].frame
    row = {int(key): i for i, key in enumerate(frame.keys)}
    theirs = river[case.name]["scaler"]
    scaler = frame.arrays["scaler"][[row[feature_key(feature)] for feature in theirs]]
    scaler[:, DEVIATIONS] /= scaler[:, COUNT]
    counts, means, variances = np.array(list(theirs.values())).T
    np.testing.assert_array_equal(scaler[:, COUNT], counts)
    np.testing.assert_allclose(scaler[:, MEAN], means, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(scaler[:, DEVIATIONS], variances, rtol=1e-9, atol=1e-12)


def close(ours: np.ndarray, theirs: Any) -> None:
    scale = float(np.abs(theirs).max())
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=_CANCELLED * scale)
