"""Steps of whole rows against steps of single numbers."""

from __future__ import annotations

import numpy as np
import pytest

from flink_ol.core import optimizers
from flink_ol.core.config import AdaGrad, Adam, AdamW, Momentum, Optimizer, Sgd
from flink_ol.core.families import mlp_steps

OPTIMIZERS = [Sgd(), Momentum(), AdaGrad(), Adam(), AdamW(weight_decay=0.1)]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda one: one.name)
def test_a_step_of_rows_is_that_of_each_number_to_the_last_bit(
    optimizer: Optimizer, dtype: str
) -> None:
    kind, rng = optimizer.kind(), np.random.default_rng(3)
    parameters, l2, rate = optimizers.padded(kind.parameters), 0.01, 0.1
    arrays = [np.zeros((5, 7), dtype) for _ in range(1 + len(kind.accumulators))]
    arrays[0][...] = rng.normal(size=(5, 7))
    arrays = [*arrays, np.zeros((0, 7), dtype), np.zeros((0, 7), dtype)][:3]
    expected = [array.copy() for array in arrays]
    rows = np.array([3, 0, 4])
    for t in (1.0, 2.0, 3.0):
        gradients = rng.normal(size=(3, 7)).astype(dtype)
        mlp_steps.step(kind.code, parameters, rate, t, l2, rows, gradients, *arrays)
        for i, row in enumerate(rows):
            for unit in range(7):
                at = [float(array[row, unit]) if len(array) else 0.0 for array in expected]
                whole = float(gradients[i, unit]) + l2 * at[0]
                after = optimizers.step(kind.code, parameters, *at, whole, rate, t)
                for array, number in zip(expected, after, strict=True):
                    if len(array):
                        array[row, unit] = number
    for array, other in zip(arrays, expected, strict=True):
        np.testing.assert_array_equal(array, other)
    assert not np.array_equal(arrays[0][rows], np.zeros((3, 7)))
