"""Settings and states to take gradients at, for every family."""

from __future__ import annotations

import numpy as np
import pytest

from flink_ol.core.config import FmModel, Learning, LinearModel, MlpModel, Model
from flink_ol.core.learner import Learner
from flink_ol.core.samples import Samples
from flink_ol.core.state import Delta, State
from tests.core import tasks
from tests.core.laws import NAN
from tests.core.streams import KEYS, random_samples

MODELS: dict[str, Model] = {
    "linear": LinearModel(),
    "fm": FmModel(factors=3, initial_deviation=0.3),
    "mlp": MlpModel(hidden=(5, 4), activation="tanh", inputs=5),
}
FAR_OFF = KEYS[3]  # about 1000: no loss is straight within a step of that size
every_model = pytest.mark.parametrize("family", MODELS)
PARAMETERS = ("weights", "intercept", "factors", "bias")  # what their names begin with
OPTIMIZERS = [name for name in tasks.OPTIMIZERS if "adaptive" not in name]


def suited(settings: Learning, count: int, seed: int, **rest: bool) -> Samples:
    """Random samples whose labels suit the loss."""
    samples = random_samples(settings, count, seed, **rest)
    if settings.chosen_loss.name == "poisson":
        samples.labels[:] = np.abs(np.round(samples.labels))
    if settings.features.scale == "none":
        samples.values[samples.keys == FAR_OFF] -= 1000.0
    return samples


def begun(learner: Learner, count: int = 40) -> State:
    """A state with statistics and parameters that are no longer the first."""
    state = learner.initial()
    learner.learn(state, suited(learner.learning, count, seed=31, weighted=True), NAN, 1.0)
    return state


def assert_equal_bits(one: Delta, other: Delta) -> None:
    assert np.array_equal(one.keys, other.keys)
    assert list(one.arrays) == list(other.arrays)
    for name, array in one.arrays.items():
        assert array.tobytes() == other.arrays[name].tobytes(), name
