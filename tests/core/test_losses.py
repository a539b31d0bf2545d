"""Laws of every loss: gradient, value and prediction agree."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from flink_ol.core.config import ConfigError, Learning
from flink_ol.core.losses import LOSSES as PLAIN
from flink_ol.core.losses import OF_TASK, SECTIONS, Loss, gradient, gradients
from flink_ol.core.losses.epsilon_insensitive import EpsilonInsensitive
from flink_ol.core.losses.huber import Huber
from flink_ol.core.losses.quantile import Quantile

CLASSES = 4
LOSSES: dict[str, Loss] = {
    **PLAIN,
    "huber-wide": Huber(delta=3.0).kind(),
    "absolute": EpsilonInsensitive(epsilon=0.0).kind(),
    "quantile-high": Quantile(level=0.9).kind(),
}
TARGETS = ("squared", "huber", "epsilon_insensitive", "quantile", "poisson")  # of any size
names = st.sampled_from(sorted(LOSSES))
raws = st.lists(st.floats(-20, 20), min_size=CLASSES, max_size=CLASSES)


def case(loss: Loss, raw: list[float], label: float) -> tuple[np.ndarray, float]:
    """Raw scores (outputs,) and a label that suit the loss."""
    if loss.name == "softmax":
        return np.array(raw), float(int(label * (CLASSES - 1)))
    return np.array(raw[:1]), 10 * label if loss.name in TARGETS else float(label > 0.5)


def near_a_kink(loss: Loss, score: float, label: float, step: float) -> bool:
    """Whether the derivative, or its slope, jumps within ``step`` of the score."""
    error, parameter = abs(score - label), loss.parameters[0]
    distance = {
        "hinge": abs(1.0 - (2 * label - 1) * score),
        "squared_hinge": abs(1.0 - (2 * label - 1) * score),
        "huber": abs(error - parameter),
        "epsilon_insensitive": abs(error - parameter),
        "quantile": error,
    }.get(loss.name, math.inf)
    return distance <= step


def compiled(loss: Loss, scores: np.ndarray, label: float) -> np.ndarray:
    result = np.full(len(scores), np.nan)
    gradients(loss.code, loss.parameters, scores, label, result)
    return result


@settings(deadline=None)  # the first call compiles
@given(names, raws, st.floats(0, 1))
def test_the_gradient_equals_central_differences(name: str, raw: list[float], y: float) -> None:
    loss = LOSSES[name]
    scores, label = case(loss, raw, y)
    step = 1e-5
    assume(not near_a_kink(loss, scores[0], label, 2 * step))
    differences = [
        (
            loss.value((scores + step * unit)[None], np.array([label]))[0]
            - loss.value((scores - step * unit)[None], np.array([label]))[0]
        )
        / (2 * step)
        for unit in np.eye(len(scores))
    ]
    # what a difference of losses of this size cannot tell
    blur = 1e-9 * (1.0 + float(loss.value(scores[None], np.array([label]))[0]))
    np.testing.assert_allclose(
        compiled(loss, scores, label), differences, rtol=1e-5, atol=1e-8 + blur
    )


@pytest.mark.parametrize("name", sorted(set(LOSSES) - {"softmax"}))
def test_the_form_for_numbers_equals_the_form_for_arrays(name: str) -> None:
    loss = LOSSES[name]
    assert gradient(loss.code, loss.parameters, 0.3, 1.0) == compiled(loss, np.array([0.3]), 1.0)[0]


@settings(deadline=None)  # the first call compiles
@given(names, raws, st.floats(0, 1))
def test_nothing_is_lost_in_a_perfect_answer_and_no_loss_is_negative(
    name: str, raw: list[float], y: float
) -> None:
    loss = LOSSES[name]
    scores, label = case(loss, raw, y)
    assert loss.value(scores[None], np.array([label]))[0] >= -1e-12
    if loss.name == "poisson":
        perfect = np.array([math.log(label) if label else -100.0])
    elif loss.name in TARGETS:
        perfect = np.array([label])
    elif loss.name == "softmax":
        perfect = np.where(np.arange(CLASSES) == label, 100.0, -100.0)
    else:
        perfect = np.array([100.0 if label else -100.0])
    assert loss.value(perfect[None], np.array([label]))[0] < 1e-12
    assert np.abs(compiled(loss, perfect, label)).max() < 1e-12


@settings(deadline=None)  # the first call compiles
@given(raws)
def test_probabilities_are_the_gradient_plus_the_truth(raw: list[float]) -> None:
    softmax, logistic = LOSSES["softmax"], LOSSES["logistic"]
    scores = np.array(raw)
    truth = np.eye(CLASSES)[2]
    np.testing.assert_allclose(
        softmax.predict(scores[None])[0], compiled(softmax, scores, 2.0) + truth, atol=1e-15
    )
    np.testing.assert_allclose(
        logistic.predict(scores[:, None])[:, 1],
        [gradient(logistic.code, logistic.parameters, score, 1.0) + 1.0 for score in raw],
        atol=1e-15,
    )


@pytest.mark.parametrize("size", [31.0, 745.0, 1e300])
def test_large_scores_are_certain_and_never_warn(size: float) -> None:
    probabilities = LOSSES["logistic"].predict(np.array([[size], [-size]]))
    assert probabilities.tolist() == [[0.0, 1.0], [1.0, 0.0]]
    scores = np.array([[size, 0.0, -size]])
    assert LOSSES["softmax"].predict(scores).argmax() == 0
    assert np.isfinite(LOSSES["softmax"].value(scores, np.array([0.0]))).all()
    assert np.isfinite(compiled(LOSSES["softmax"], scores[0], 2.0)).all()


def test_every_loss_has_a_code_of_its_own_and_every_task_a_loss() -> None:
    kinds = [section().kind() for section in SECTIONS.values()]
    assert len({kind.code for kind in kinds}) == len(kinds)
    assert [kind.name for kind in kinds] == list(SECTIONS)
    assert set(OF_TASK) == {"binary", "multiclass", "regression"}
    assert all(task in SECTIONS[loss.name].TASKS for task, loss in OF_TASK.items())


@pytest.mark.parametrize("name", ["hinge", "squared_hinge"])
def test_margins_keep_their_side_as_probabilities(name: str) -> None:
    probabilities = LOSSES[name].predict(np.array([[-0.5], [0.0], [2.0]]))
    assert probabilities.argmax(axis=1)[[0, 2]].tolist() == [0, 1]
    assert probabilities[1].tolist() == [0.5, 0.5]
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_the_constant_that_costs_least_is_the_quantile(level: float) -> None:
    loss, targets = Quantile(level=level).kind(), np.arange(1.0, 100.0)
    costs = [loss.value(np.full((99, 1), c), targets).sum() for c in targets]
    assert targets[np.argmin(costs)] == np.quantile(targets, level, method="inverted_cdf")


def test_poisson_answers_with_the_mean_count() -> None:
    loss, counts = LOSSES["poisson"], np.array([0.0, 1.0, 5.0])
    at = math.log(counts.mean())
    total = sum(gradient(loss.code, loss.parameters, at, float(count)) for count in counts)
    assert abs(total) < 1e-12
    assert loss.predict(np.array([[at]]))[0] == pytest.approx(2.0)


@pytest.mark.parametrize("name", SECTIONS)
@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_loss_that_does_not_suit_the_task_is_refused(task: str, name: str) -> None:
    fields: dict[str, Any] = {"task": task, "loss": {"name": name}}
    if task == "multiclass":
        fields["classes"] = 4
    if task in SECTIONS[name].TASKS:
        assert Learning.from_json(fields).chosen_loss.name == name
        assert Learning.from_json(Learning.from_json(fields).to_json()) == Learning.from_json(
            fields
        )
    else:
        with pytest.raises(ConfigError, match=rf"loss\.name: '{name}' .* suits task {task}"):
            Learning.from_json(fields)
