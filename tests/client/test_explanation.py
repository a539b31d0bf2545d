"""Contributions add up, for scores of first and of second order in the features."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from flink_ol.client import Model
from flink_ol.client.explanation import contributions
from flink_ol.core.samples import Samples
from flink_ol.wire.formats import sample_format
from flink_ol.wire.json_samples import JsonFields
from tests.client.trained import TASKS, file_of, learning_of, records_of, snapshot_of

_PAIRS = np.array([[0.0, 2.0, -1.0], [0.0, 0.0, 0.5], [0.0, 0.0, 0.0]])
_WEIGHTS = np.array([1.0, -3.0, 0.25])


class _Quadratic:
    """4 + w x + the products of pairs, features by their keys 0, 1, 2."""

    learning = SimpleNamespace(model=SimpleNamespace(family="fm"))

    def raw_scores(self, samples: Samples) -> np.ndarray:
        scores = []
        for start, stop in pairwise(samples.indptr):
            x = np.zeros(3)
            x[samples.keys[start:stop]] = samples.values[start:stop]
            scores.append(4.0 + _WEIGHTS @ x + x @ _PAIRS @ x)
        return np.array(scores).reshape(-1, 1)

    def filled(self, samples: Samples) -> Samples:
        return samples

    def knows(self, keys: np.ndarray) -> np.ndarray:
        return np.ones(len(keys), np.bool_)


def test_interactions_are_halved_between_their_two_features() -> None:
    x = np.array([2.0, 1.5, -1.0])
    keys, names = np.arange(3), {0: "a", 1: "b", 2: "c"}
    one = np.ones(1)
    sample = Samples(np.array([0, 3]), keys, x, np.ones(3, np.bool_), one, one, keys[:1], names)
    model: Any = _Quadratic()
    found = contributions(model, sample)
    halves = x * ((_PAIRS + _PAIRS.T) @ x) / 2.0
    np.testing.assert_allclose(found.contributions[:, 0], _WEIGHTS * x + halves, rtol=1e-12)
    assert found.intercept[0] + found.contributions.sum() == pytest.approx(found.scores[0])


@pytest.mark.parametrize("scale", ["standard", "none"])
@pytest.mark.parametrize("task", TASKS, ids=str)
def test_contributions_of_linear_models_are_weight_times_value(
    task: dict[str, Any], scale: str
) -> None:
    learning = learning_of(task, features={"scale": scale})
    model = Model.from_bytes(file_of(snapshot_of(learning, records_of(learning))))
    decoder = sample_format("json", JsonFields(), learning)
    row = decoder.decode_request(b'{"x": {"size": 4, "kind": "a", "new": 9}}', 0, 0).row
    found = contributions(model, row)
    value = {"size": 4.0, "kind=a": 1.0}
    if scale == "standard":
        of = model.scaler["size"]
        value["size"] = (4.0 - of["mean"]) / of["variance"] ** 0.5
    weights = dict(zip(model.feature_names, model.snapshot.frame.arrays["weights"], strict=True))
    expected = [
        weights[name] * value[name] if name in value else 0.0 * found.scores for name in found.names
    ]
    np.testing.assert_allclose(found.contributions, expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.intercept, model.snapshot.frame.arrays["intercept"])
    total = found.intercept + found.contributions.sum(axis=0)
    np.testing.assert_allclose(total, found.scores, rtol=1e-12)
    assert found.known == [True, True, False]


def test_what_is_put_in_for_absent_features_is_explained_too() -> None:
    learning = learning_of(TASKS[0], features={"missing": "zero", "scale": "min_max"})
    model = Model.from_bytes(file_of(snapshot_of(learning, records_of(learning))))
    row = sample_format("json", JsonFields(), learning).decode_request(b'{"x": {}}', 0, 0).row
    found = contributions(model, row)
    assert sorted(found.names) == ["age", "size"]
    assert found.contributions.any()
    total = found.intercept + found.contributions.sum(axis=0)
    np.testing.assert_allclose(total, found.scores, rtol=1e-12)
    probability = model.predict_proba([{}])[0, 1]
    np.testing.assert_allclose(probability, 1 / (1 + np.exp(-found.scores[0])), rtol=1e-12)
