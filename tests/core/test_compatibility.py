"""What may change beneath a model that goes on, and what is refused with its reason."""

from __future__ import annotations

from typing import Any

import pytest

from flink_ol.core.compatibility import changes
from flink_ol.core.config import Learning

BASE: dict[str, Any] = {"task": "binary"}
FM = {"family": "fm", "factors": 4}


def _changes(
    before: dict[str, Any], after: dict[str, Any], in_flight: bool = True
) -> tuple[list[str], list[str]]:
    told = changes(
        Learning.from_json({**BASE, **before}), Learning.from_json({**BASE, **after}), in_flight
    )
    return [change.key for change in told.allowed], [change.key for change in told.refused]


@pytest.mark.parametrize(
    ("before", "after", "keys"),
    [
        ({}, {"optimizer": {"name": "sgd", "learning_rate": 0.5}}, ["optimizer.learning_rate"]),
        (
            {},
            {"optimizer": {"name": "sgd", "schedule": {"name": "step", "every": 5}}},
            ["optimizer.schedule.name"],
        ),
        ({}, {"model": {"family": "linear", "l2": 0.1, "l1": 0.2}}, ["model.l2", "model.l1"]),
        ({"model": FM}, {"model": {**FM, "factors_l2": 0.1}}, ["model.factors_l2"]),
        ({}, {"loss": {"name": "logistic"}}, []),
        (
            {},
            {"features": {"admission": {"occurrences": 3}, "expiry": {"untouched_ms": 1000}}},
            ["features.admission", "features.expiry"],
        ),
        ({"features": {"names_kept": 5}}, {}, ["features.names_kept"]),
    ],
)
def test_how_steps_are_taken_may_change(
    before: dict[str, Any], after: dict[str, Any], keys: list[str]
) -> None:
    assert _changes(before, after) == (keys, [])


@pytest.mark.parametrize(
    ("before", "after", "key"),
    [
        ({}, {"task": "regression"}, "task"),
        ({}, {"classes": ["no", "yes"]}, "classes"),
        ({}, {"loss": {"name": "hinge"}}, "loss.name"),
        ({}, {"model": FM}, "model.family"),
        ({"model": FM}, {"model": {**FM, "factors": 5}}, "model.factors"),
        ({}, {"features": {"scale": "none"}}, "features.scale"),
        ({}, {"features": {"hash_bits": 12}}, "features.hash_bits"),
        ({}, {"features": {"crosses": ["a*b"]}}, "features.crosses"),
        ({}, {"optimizer": {"name": "adam"}}, "optimizer.name"),
        ({}, {"seed": 1}, "seed"),
    ],
)
def test_what_the_arrays_mean_may_not(
    before: dict[str, Any], after: dict[str, Any], key: str
) -> None:
    assert key in _changes(before, after)[1]
    assert key in _changes(after, before)[1]


def test_the_settings_of_another_kind_are_not_told_beside_it() -> None:
    assert _changes({}, {"model": FM, "optimizer": {"name": "ftrl"}}) == (
        [],
        ["model.family", "optimizer.name"],
    )


def test_a_rate_that_decides_whether_an_array_is_kept_is_refused_by_the_array() -> None:
    kept = {"name": "adagrad", "intercept_learning_rate": None}
    allowed, refused = _changes({"optimizer": {"name": "adagrad"}}, {"optimizer": kept})
    assert allowed == ["optimizer.intercept_learning_rate"]
    assert refused
    assert all(key.startswith("array ") for key in refused)


def test_where_only_arrays_are_taken_over_first_parameters_may_be_drawn_otherwise() -> None:
    other = {"model": {**FM, "initial_deviation": 0.5}, "seed": 3}
    assert _changes({"model": FM}, other, in_flight=False)[1] == []
    assert _changes({"model": FM}, other)[1] == ["model.initial_deviation", "seed"]
