"""A model read from a file says what the job that wrote it would say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from flink_ol.client import Model
from flink_ol.core.labels import Labels
from flink_ol.core.learner import Learner
from flink_ol.core.model import Answer, RequestArrived
from flink_ol.core.model import Model as JobModel
from flink_ol.wire.errors import WireError
from flink_ol.wire.formats import sample_format
from flink_ol.wire.json_samples import JsonFields
from flink_ol.wire.predictions import decode_answer, encode_answer
from tests.client.trained import (
    BINARY,
    MULTICLASS,
    NAMED,
    REGRESSION,
    TASKS,
    file_of,
    learning_of,
    records_of,
    snapshot_of,
)

QUESTIONS: list[dict[str, Any]] = [
    {"size": 2.0, "age": 0.5, "kind": "a"},
    {"size": 7.5, "kind": "b"},
    {"size": -3, "age": None, "kind": "never seen", "other": True},
    {},
]


def _model(task: dict[str, Any], **sections: Any) -> Model:
    learning = learning_of(task, **sections)
    return Model.from_bytes(file_of(snapshot_of(learning, records_of(learning))))


def _job_answers(model: Model) -> list[dict[str, Any]]:
    """What the job's own operator answers, by its own way."""
    job = JobModel(Learner(model.learning), "shop", "0" * 64)
    state = job.restored(model.snapshot)
    decoder = sample_format("json", JsonFields(), model.learning)
    labels = Labels(model.learning.task, model.learning.classes)
    answers = []
    for features in QUESTIONS:
        request = decoder.decode_request(orjson.dumps({"x": features}), 0, 0)
        (answer,) = job.handle(state, RequestArrived(request))
        assert isinstance(answer, Answer)
        answers.append(decode_answer(encode_answer(answer, labels)))
    return answers


@pytest.mark.parametrize("task", TASKS, ids=str)
def test_predictions_are_those_of_the_job(task: dict[str, Any]) -> None:
    model = _model(task)
    answers = _job_answers(model)
    assert [model.predict_one(features) for features in QUESTIONS] == [
        answer["prediction"] for answer in answers
    ]
    assert model.predict(QUESTIONS).tolist() == [answer["prediction"] for answer in answers]
    if task is not REGRESSION:
        assert [model.predict_proba_one(features) for features in QUESTIONS] == [
            answer["probabilities"] for answer in answers
        ]
        np.testing.assert_allclose(model.predict_proba(QUESTIONS).sum(axis=1), 1.0)


def test_the_tasks_answers_differ_among_the_questions() -> None:
    for task in TASKS:
        assert len(set(_model(task).predict(QUESTIONS).tolist())) > 1


@pytest.mark.parametrize("task", TASKS, ids=str)
def test_an_array_with_names_predicts_as_mappings_do(task: dict[str, Any]) -> None:
    model = _model(task)
    X = np.array([[2.0, 0.5], [7.5, np.nan]])
    mappings = [{"size": 2.0, "age": 0.5}, {"size": 7.5}]
    assert model.predict(X, ["size", "age"]).tolist() == model.predict(mappings).tolist()


def test_columns_without_names_are_the_features_of_a_list() -> None:
    learning = learning_of(BINARY)
    rng = np.random.default_rng(2)
    X = rng.normal(size=(50, 3))
    y = (X[:, 0] > 0).astype(int).tolist()
    records = [
        orjson.dumps({"x": row, "y": label}) for row, label in zip(X.tolist(), y, strict=True)
    ]
    model = Model.from_bytes(file_of(snapshot_of(learning, records)))
    assert sorted(model.weights) == ["0", "1", "2"]
    assert (model.predict(X) == y).mean() > 0.8
    by_mapping = model.predict_proba([{str(j): v for j, v in enumerate(row)} for row in X.tolist()])
    np.testing.assert_array_equal(model.predict_proba(X), by_mapping)


def test_hashed_features_predict_alike_from_arrays_and_mappings() -> None:
    model = _model(BINARY, features={"hash_bits": 10})
    X = np.array([[2.0, 0.5]])
    expected = model.predict_proba([{"size": 2.0, "age": 0.5}])
    np.testing.assert_array_equal(model.predict_proba(X, ["size", "age"]), expected)


def test_crosses_predict_alike_from_arrays_and_mappings() -> None:
    model = _model(REGRESSION, features={"crosses": ["size*age", "kind*size"], "hash_bits": 20})
    plain = _model(REGRESSION)
    X = np.array([[2.0, 0.5], [7.5, np.nan]])
    found = model.predict(X, ["size", "age"])
    assert found.tolist() == model.predict([{"size": 2.0, "age": 0.5}, {"size": 7.5}]).tolist()
    assert set(model.weights) == {
        *plain.weights,
        *("size*age", "kind=a*size", "kind=b*size"),
    }


def test_a_score_follows_from_weights_scaler_and_intercept_by_name() -> None:
    model = _model(REGRESSION)
    features = {"size": 4.2, "age": -0.3, "kind": "a"}
    score = model.intercept
    assert isinstance(score, float)
    for name in ("size", "age"):
        statistics, weight = model.scaler[name], model.weights[name]
        assert isinstance(weight, float)
        score += (
            weight * (features[name] - statistics["mean"]) / np.sqrt(statistics["variance"])  # type: ignore[operator]
        )
    score += model.weights["kind=a"]  # type: ignore[operator]
    assert model.predict_one(features) == pytest.approx(score, rel=1e-12)


def test_categories_have_weights_and_no_statistics() -> None:
    model = _model(BINARY)
    assert set(model.weights) == {"size", "age", "kind=a", "kind=b"}
    assert set(model.scaler) == {"size", "age"}
    assert model.scaler["size"]["count"] == 60 > model.scaler["age"]["count"]


def test_weights_of_several_classes_stand_under_their_labels() -> None:
    model = _model(MULTICLASS)
    assert set(model.weights["size"]) == {"red", "green", "blue"}  # type: ignore[arg-type]
    assert set(model.intercept) == {"red", "green", "blue"}  # type: ignore[arg-type]
    assert model.classes.tolist() == ["red", "green", "blue"]


def test_a_saved_model_is_read_back_byte_for_byte(tmp_path: Path) -> None:
    model = _model(NAMED)
    model.save(tmp_path / "model.safetensors")
    again = Model.load(tmp_path / "model.safetensors")
    assert again.to_bytes() == model.to_bytes()
    assert again.version == model.version
    assert again.ledger[0].learned.count == 60
    assert again.metrics["scored"] == 60
    assert again.job == "shop"
    assert again.metadata["sha256"] == model.metadata["sha256"]


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    data = bytearray(_model(BINARY).to_bytes())
    data[-3] ^= 1
    with pytest.raises(WireError, match="SHA-256"):
        Model.from_bytes(bytes(data))
    with pytest.raises(WireError, match="not fully covered"):
        Model.from_bytes(bytes(data[: len(data) // 2]))
    with pytest.raises(WireError, match="cut off"):
        Model.from_bytes(bytes(data[:200]))


def test_the_untrained_model_answers() -> None:
    learning = learning_of(BINARY)
    model = Model.from_bytes(file_of(snapshot_of(learning, [], batches=1)))
    assert not model.weights
    assert model.predict_proba(QUESTIONS).tolist() == [[0.5, 0.5]] * len(QUESTIONS)
    assert not model.predict(np.zeros((0, 3))).tolist()
    assert not model.predict([]).tolist()


@pytest.mark.parametrize(
    ("X", "names", "message"),
    [
        (np.zeros(3), None, r"shape \(3,\)"),
        (np.zeros((1, 3)), ["a"], "1 names for 3 columns"),
        (np.array([[1.0, np.inf]]), None, r"X\[0, 1\] is inf"),
        ([{"size": 1}, {"size": [1]}], None, r"X\[1\]"),
        ([{"size": 1}], ["size"], "mappings have names"),
    ],
)
def test_what_cannot_be_features_is_refused_with_its_place(
    X: Any, names: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        _model(BINARY).predict(X, names)


def test_labels_of_several_kinds_stay_what_they_are() -> None:
    model = _model({"task": "multiclass", "classes": [1, "two", 3]})
    assert {type(model.predict_one(features)) for features in QUESTIONS} <= {int, str}
    assert model.classes.tolist() == [1, "two", 3]


def test_a_regression_has_no_probabilities() -> None:
    with pytest.raises(ValueError, match="regression"):
        _model(REGRESSION).predict_proba(QUESTIONS)
