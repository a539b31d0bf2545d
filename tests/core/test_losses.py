"""Laws of every loss: gradient, value and prediction agree."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flink_ol.core.losses import LOSSES, OF_TASK, Loss, gradient, gradients

CLASSES = 4
names = st.sampled_from(sorted(LOSSES))
raws = st.lists(st.floats(-20, 20), min_size=CLASSES, max_size=CLASSES)


def case(loss: Loss, raw: list[float], label: float) -> tuple[np.ndarray, float]:
    """Raw scores (outputs,) and a label that suit the loss."""
    if loss.name == "softmax":
        return np.array(raw), float(int(label * (CLASSES - 1)))
    return np.array(raw[:1]), label if loss.name == "squared" else float(label > 0.5)


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
    differences = [
        (
            loss.value((scores + step * unit)[None], np.array([label]))[0]
            - loss.value((scores - step * unit)[None], np.array([label]))[0]
        )
        / (2 * step)
        for unit in np.eye(len(scores))
    ]
    np.testing.assert_allclose(compiled(loss, scores, label), differences, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", ["logistic", "squared"])
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
    if loss.name == "squared":
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
    assert len({loss.code for loss in LOSSES.values()}) == len(LOSSES)
    assert set(OF_TASK) == {"binary", "multiclass", "regression"}
