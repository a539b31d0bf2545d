"""Settings: to JSON and back, refused where they make no sense, the same for pydantic."""

from __future__ import annotations

import json
import math
import pickle
from typing import Any

import pydantic
import pytest

from flink_ol.core.config import (
    ConfigError,
    Features,
    FmModel,
    Ftrl,
    Learning,
    LinearModel,
    Optimizer,
    Sgd,
    Step,
)
from tests.core.tasks import OPTIMIZERS, TASKS, learning

ADAPTER: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(Optimizer)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("task", TASKS)
def test_settings_survive_json_and_pickle(task: Any, name: str) -> None:
    model = LinearModel(l2=0.0 if name.startswith("adaptive") else 0.5)
    settings = learning(task, name, model=model, seed=3)
    text = json.dumps(settings.to_json(), allow_nan=False)
    assert Learning.from_json(json.loads(text)) == settings
    assert pickle.loads(pickle.dumps(settings)) == settings


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_pydantic_reads_what_the_core_writes(name: str) -> None:
    assert ADAPTER.validate_python(OPTIMIZERS[name].to_json()) == OPTIMIZERS[name]


def test_classes_come_back_as_labels() -> None:
    settings = Learning(task="multiclass", classes=("red", 7, "blue"))
    assert Learning.from_json(settings.to_json()).classes == ("red", 7, "blue")
    assert settings.outputs == settings.class_count == 3
    assert Learning(task="binary").outputs == 1
    assert Learning(task="regression").class_count == 0


REFUSED = [
    ({"optimizer": {"name": "sgd", "learning_rate": -1}}, "optimizer.learning_rate", "greater"),
    ({"optimizer": {"name": "sgd", "learning_rate": True}}, "optimizer.learning_rate", "number"),
    ({"optimizer": {"name": "sgd", "learning_rate": math.inf}}, "optimizer.learning_rate", "fini"),
    ({"optimizer": {"name": "sdg"}}, "optimizer.name", "sgd, momentum"),
    ({"optimizer": {"learning_rate": 1.0}}, "optimizer.name", "sgd, momentum"),
    ({"optimizer": {"name": "ftrl", "l1": -0.1}}, "optimizer.l1", "at least 0"),
    ({"optimizer": {"name": "sgd", "rate": 1}}, "optimizer.rate", "learning_rate"),
    ({"optimizer": {"name": "sgd", "schedule": {"name": "step"}}}, "optimizer.schedule.every", ""),
    (
        {"optimizer": {"name": "ftrl"}, "model": {"family": "linear", "l1": 1}},
        "model.l1",
        "its own",
    ),
    (
        {"optimizer": {"name": "adaptive"}, "model": {"family": "linear", "l2": 1}},
        "model.l2",
        "adaptive does without",
    ),
    (
        {"optimizer": {"name": "sgd", "feature_learning_rates": {"a": 0}}},
        "optimizer.feature_learning_rates.a",
        "greater",
    ),
    ({"optimizer": "sgd"}, "optimizer", "mapping"),
    ({"loss": {"name": "huber"}}, "loss.name", "logistic, hinge, squared_hinge"),
    ({"loss": {"name": "hinch"}}, "loss.name", "hinge"),
    ({"loss": {"name": "hinge", "delta": 1}}, "loss.delta", "name"),
    ({"task": "regression", "loss": {"name": "quantile", "level": 1}}, "loss.level", "less"),
    ({"model": {"family": "forest"}}, "model.family", "linear"),
    ({"features": {"hash_bits": 31}}, "features.hash_bits", "at most 30"),
    ({"features": {"hash_bits": 8.0}}, "features.hash_bits", "integer"),
    ({"features": {"scale": "minmax"}}, "features.scale", "standard, min_max, none"),
    ({"seed": -1}, "seed", "at least 0"),
    ({"task": "ranking"}, "task", "binary, multiclass, regression"),
    ({"task": "multiclass"}, "classes", "number or a list"),
    ({"task": "multiclass", "classes": ["a"]}, "classes", "at least two"),
    ({"task": "multiclass", "classes": 1}, "classes", "at least 2"),
    ({"task": "multiclass", "classes": ["1", 1]}, "classes", "differ"),
    ({"task": "multiclass", "classes": 10**9}, "classes", "at most"),
    ({"classes": 2}, "classes", "negative first"),
    ({"classes": ["a", "b", "c"]}, "classes", "negative first"),
    ({"classes": [True, False]}, "classes", "integer"),
    ({"task": "regression", "classes": ["a", "b"]}, "classes", "null"),
    ({"tasks": "binary"}, "tasks", "task"),
]


@pytest.mark.parametrize(("fields", "key", "allowed"), REFUSED)
def test_a_refusal_names_key_value_and_what_is_allowed(
    fields: dict[str, Any], key: str, allowed: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        Learning.from_json({"task": "binary", **fields})
    assert caught.value.key == key
    assert allowed in caught.value.allowed
    assert key in str(caught.value)
    assert repr(caught.value.value) in str(caught.value)


@pytest.mark.parametrize("fields", [fields for fields, _, _ in REFUSED])
def test_pydantic_refuses_the_same(fields: dict[str, Any]) -> None:
    # lax mode reads true as 1 and 8.0 as 8, which strict mode does not
    adapter = pydantic.TypeAdapter(Learning)
    adapter.validate_json(json.dumps(learning("multiclass", "ftrl").to_json()), strict=True)
    with pytest.raises(pydantic.ValidationError):
        adapter.validate_json(json.dumps({"task": "binary", **fields}), strict=True)


def test_an_error_survives_a_pickle() -> None:
    error = pickle.loads(pickle.dumps(ConfigError("a.b", 3, "a text")))
    assert (error.key, error.value, error.allowed) == ("a.b", 3, "a text")


def test_settings_are_checked_where_they_are_made() -> None:
    with pytest.raises(ConfigError, match="learning_rate"):
        Sgd(learning_rate=0)
    with pytest.raises(ConfigError, match="hash_bits"):
        Features(hash_bits=0)
    assert Ftrl(intercept_learning_rate=None).kind().intercept_rate is None
    assert isinstance(Sgd(learning_rate=1).learning_rate, float)
    assert Sgd(schedule=Step(every=3)).kind().schedule[1] == (3.0, 0.5)


def test_the_json_schema_tells_the_members_apart_and_explains_them() -> None:
    schema = ADAPTER.json_schema()
    assert schema["discriminator"]["propertyName"] == "name"
    assert set(schema["discriminator"]["mapping"]) == {one.name for one in OPTIMIZERS.values()}
    sgd = schema["$defs"]["Sgd"]
    assert sgd["additionalProperties"] is False
    assert sgd["properties"]["learning_rate"]["exclusiveMinimum"] == 0
    assert sgd["properties"]["learning_rate"]["description"] == "Rate of the weights."


def test_ftrl_that_cannot_hold_random_first_weights_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"optimizer\.beta"):
        Learning(task="binary", model=FmModel(), optimizer=Ftrl(beta=0.0, l2=0.0))


@pytest.mark.parametrize("key", ["warm_up", "learning_rate"])
@pytest.mark.parametrize("value", [1 << 63, -(10**400)])
def test_integers_that_no_message_holds_are_refused(key: str, value: int) -> None:
    with pytest.raises(ConfigError, match=rf"optimizer\.{key}.*9223372036854775807"):
        Learning.from_json({"task": "binary", "optimizer": {"name": "sgd", key: value}})
