"""The optimizer ``adaptive`` against predictions that Vowpal Wabbit 9.11 made."""

from __future__ import annotations

import numpy as np
import pytest

from flink_ol.core.config import Adaptive, Features, Learning
from flink_ol.core.learner import Learner, _rows
from tests.core.streams import samples_of

# features, label, importance; new scales, rare features and importances among them
ROWS = [
    ({1: 1.0, 2: 0.5}, 1, 1.0),
    ({1: 2.0, 3: 100.0}, -1, 1.0),
    ({2: -3.0, 3: 50.0}, 1, 2.0),
    ({1: -1.0, 2: 2.0, 3: -200.0}, -1, 5.0),
    ({2: 1.0}, 1, 1.0),
    ({1: 4.0, 2: 0.25}, 1, 1.0),
    ({3: 10.0}, -1, 3.0),
    ({1: 1.0, 2: 1.0, 3: 1.0}, 1, 1.0),
]
# vw --loss_function LOSS, for squared with --min_prediction -1000 --max_prediction 1000
PREDICTED = {
    "logistic": [0.0, 0.70606, -1.50469, 0.23528, -0.12074, 0.72657, 0.18331, -0.08838],
    "squared": [0.0, 0.57938, -1.26955, 0.15813, -0.03007, 0.56343, 0.19736, -0.06224],
}


@pytest.mark.parametrize("loss", PREDICTED)
def test_adaptive_predicts_what_vowpal_wabbit_does(loss: str) -> None:
    binary = loss == "logistic"
    settings = Learning(
        task="binary" if binary else "regression",
        optimizer=Adaptive(),
        features=Features(scale="none"),
    )
    learner, state = Learner(settings), Learner(settings).initial()
    samples = samples_of(
        [[(key, value, True) for key, value in row.items()] for row, _, _ in ROWS],
        [float(label > 0) if binary else float(label) for _, label, _ in ROWS],
        [importance for _, _, importance in ROWS],
    )
    rows = _rows(samples, state.slots(samples.keys))
    scores = learner._family.learn(state.arrays, rows, 1.0)[:, 0]
    # its numbers are of single precision, its roots and its Lambert W approximate
    np.testing.assert_allclose(scores, PREDICTED[loss], rtol=1e-3, atol=1e-3)
