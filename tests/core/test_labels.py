"""Labels: what users may write for each task, and what comes back."""

from __future__ import annotations

from typing import Any

import pytest

from flink_ol.core.config import Classes, Task
from flink_ol.core.labels import Labels


@pytest.mark.parametrize(
    ("task", "classes", "values"),
    [
        ("binary", None, {True: 1, False: 0}),
        ("binary", None, {1: 1, 0: 0}),
        ("binary", None, {1: 1, -1: 0}),
        ("binary", ("no", "yes"), {"no": 0, "yes": 1}),
        ("multiclass", 3, {0: 0, 1: 1, 2: 2}),
        ("multiclass", ("a", "b", "c"), {"a": 0, "c": 2}),
        ("regression", None, {1.5: 1.5, -3: -3}),
    ],
)
def test_labels_are_taken(task: Task, classes: Classes, values: dict[Any, float]) -> None:
    labels = Labels(task, classes)
    assert {value: labels.encode(value) for value in values} == values


@pytest.mark.parametrize(
    ("task", "classes", "value"),
    [
        ("binary", None, "yes"),
        ("binary", None, 2),
        ("binary", None, None),
        ("binary", ("no", "yes"), 1),
        ("multiclass", 3, 3),
        ("multiclass", 3, -1),
        ("multiclass", 3, True),
        ("multiclass", ("a", "b"), ["a"]),
        ("regression", None, float("nan")),
        ("regression", None, True),
        ("regression", None, "1"),
    ],
)
def test_anything_else_is_refused_in_words(task: Task, classes: Classes, value: Any) -> None:
    with pytest.raises(ValueError, match=r"is not|give"):
        Labels(task, classes).encode(value)


def test_what_is_decoded_is_as_users_write_it() -> None:
    assert Labels("binary", ("no", "yes")).decode(1) == "yes"
    assert Labels("binary", None).decode(1) == 1
    assert Labels("multiclass", 3).decode(2) == 2
