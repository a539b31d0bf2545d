"""What is sent and what is kept back come to what was learned; nothing else is rounded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flink_ol.core.config import (
    AdaGrad,
    Adam,
    ConfigError,
    FmModel,
    Ftrl,
    Learning,
    LinearModel,
    MlpModel,
    Momentum,
    Sgd,
)
from flink_ol.core.learner import Learner
from flink_ol.core.lossy import Compression, lossy, lossy_names
from flink_ol.core.residual import Lossy, undone
from flink_ol.core.state import ArraySpec, Delta
from flink_ol.core.training import Async, Bounded, Local, Sync
from tests.core.streams import random_samples
from tests.core.tasks import OPTIMIZERS

SPECS = (
    ArraySpec("weights", (2,), "mean"),
    ArraySpec("layer", (90,), "mean", per_feature=False),
    ArraySpec("intercept", (2,), "mean", per_feature=False),
    ArraySpec("steps", (1,), "sum", per_feature=False),
)
LOSSY = frozenset({"weights", "layer"})
SETTINGS = st.builds(
    Compression,
    numbers=st.sampled_from(["float16", "int8"]),
    top=st.none() | st.sampled_from([0.01, 0.3, 0.9]),
) | st.builds(Compression, top=st.sampled_from([0.01, 0.3, 0.9]))


def delta(rng: np.random.Generator, keys: np.ndarray) -> Delta:
    count = len(keys)
    arrays = {
        "weights": rng.normal(size=(count, 2)) * rng.lognormal(0, 3, size=(count, 1)),
        "layer": rng.normal(size=90),
        "intercept": rng.normal(size=2),
        "steps": np.array([5.0]),
    }
    return Delta(keys, arrays)


@given(SETTINGS, st.integers(0, 10_000), st.booleans())
def test_what_is_sent_and_kept_back_is_what_was_learned(
    chosen: Compression, seed: int, scaled: bool
) -> None:
    rng = np.random.default_rng(seed)
    specs = (*SPECS, ArraySpec("scaler", (3,), "moments")) if scaled else SPECS
    learned, told = np.zeros((60, 2)), np.zeros((60, 2))
    learned_layer, told_layer = np.zeros(90), np.zeros(90)
    sender = Lossy(_Fake(specs), chosen, gradients=False)  # type: ignore[arg-type]
    residual = sender.restored(())
    for _ in range(6):
        keys = rng.permutation(60)[: rng.integers(0, 50)].astype(np.int64)
        new = delta(rng, keys)
        if scaled:
            new.arrays["scaler"] = rng.normal(size=(len(keys), 3))  # type: ignore[index]
        learned[keys] += new.arrays["weights"]
        learned_layer += new.arrays["layer"]
        coded, _ = sender.send(residual, new, rng.random(len(keys)) < 0.9, undoable=False)
        told[coded.delta.keys] += coded.delta.arrays["weights"]
        told_layer += coded.delta.arrays["layer"]
        for exact in ("intercept", "steps"):
            np.testing.assert_array_equal(coded.delta.arrays[exact], new.arrays[exact])
        if scaled:
            np.testing.assert_array_equal(coded.delta.keys, keys)
            np.testing.assert_array_equal(coded.delta.arrays["scaler"], new.arrays["scaler"])
    everything = np.arange(60, dtype=np.int64)
    kept = residual.rows.values(residual.rows.slots(everything)).arrays
    close: Any = np.testing.assert_allclose
    close(told + kept["weights"], learned, rtol=1e-12, atol=1e-9 * np.abs(learned).max())
    close(told_layer + kept["layer"], learned_layer, rtol=1e-12, atol=1e-12)


class _Fake:
    """As much of a learner as is asked for."""

    parameters = frozenset({"weights", "layer", "intercept"})

    def __init__(self, specs: tuple[ArraySpec, ...]) -> None:
        self.specs = specs


def one(keys: list[int], rows: list[float]) -> tuple[Delta, dict[str, np.ndarray]]:
    weights = np.array(rows)[:, None]
    return Delta(np.array(keys, np.int64), {"w": weights}), {"w": np.zeros_like(weights)}


def test_the_rows_that_changed_most_are_sent_and_new_features() -> None:
    spec = (ArraySpec("w", (1,), "mean"),)
    learned, nothing = one([5, 6, 7, 8], [0.1, -9.0, 3.0, 0.2])
    known = np.array([True, True, True, False])
    coded = lossy(spec, frozenset({"w"}), learned, nothing, Compression(top=0.5), known)
    np.testing.assert_array_equal(coded.delta.keys, [6, 7, 8])
    np.testing.assert_array_equal(coded.delta.arrays["w"][:, 0], [-9.0, 3.0, 0.0])
    np.testing.assert_array_equal(coded.residual["w"][:, 0], [0.1, 0.0, 0.0, 0.2])


def test_what_was_kept_back_decides_with() -> None:
    spec = (ArraySpec("w", (1,), "mean"),)
    learned, kept = one([5, 6], [0.5, 0.6])
    kept["w"][0] = 0.4
    coded = lossy(spec, frozenset({"w"}), learned, kept, Compression(top=0.5), np.ones(2, bool))
    np.testing.assert_array_equal(coded.delta.keys, [5])
    np.testing.assert_array_equal(coded.delta.arrays["w"], [[0.9]])


def test_the_first_of_equal_rows_are_sent() -> None:
    spec = (ArraySpec("w", (1,), "mean"),)
    learned, kept = one(list(range(8)), [1.0, 2.0, 2.0, 2.0, 0.0, 1.0, 1.0, 1.0])
    coded = lossy(spec, frozenset({"w"}), learned, kept, Compression(top=0.3), np.ones(8, bool))
    np.testing.assert_array_equal(coded.delta.keys, [1, 2, 3])


def test_a_sum_beyond_all_numbers_lets_go_of_what_was_kept_back() -> None:
    spec = (ArraySpec("w", (1,), "mean"),)
    learned, kept = one([5], [1.5e308])
    kept["w"][0] = 1.5e308
    settings = Compression(numbers="float16")
    coded = lossy(spec, frozenset({"w"}), learned, kept, settings, np.ones(1, bool))
    assert coded.delta.finite()
    assert np.isfinite(coded.residual["w"]).all()


def test_a_refused_update_is_as_if_never_made() -> None:
    sender = Lossy(_Fake(SPECS), Compression(top=0.2), gradients=True)  # type: ignore[arg-type]
    residual = sender.restored(())
    rng = np.random.default_rng(0)
    keys = np.arange(20, dtype=np.int64)
    changes = [sender.send(residual, delta(rng, keys), keys >= 0, undoable=True)[1]]
    before = residual.whole().rows
    changes.append(sender.send(residual, delta(rng, keys[5:]), keys[5:] >= 0, undoable=True)[1])
    restored = sender.restored(changes)  # a crash between
    for kept in (residual, restored):
        assert len(undone(kept)) == 1
        for name, array in kept.whole().rows.arrays.items():
            np.testing.assert_array_equal(array, before.arrays[name])
        assert not undone(kept)


@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
@pytest.mark.parametrize("model", [LinearModel(), FmModel(factors=2), MlpModel()])
def test_parameters_are_what_gradients_are_of(optimizer: str, model: Any) -> None:
    try:
        learning = Learning(task="binary", model=model, optimizer=OPTIMIZERS[optimizer])
    except ConfigError:
        pytest.skip("the family does not go with the optimizer")
    if optimizer.startswith("adaptive"):
        pytest.skip("adaptive has no gradients")
    learner = Learner(learning)
    state = learner.initial()
    samples = learner.filled(state, random_samples(learning, 3, 0))
    gradient, _ = learner.gradient(state, samples, 0.0)
    statistics = {"scaler", "steps", "baseline"}
    assert learner.parameters - {"mini_batches"} == gradient.arrays.keys() - statistics


def test_only_parameters_are_lossy() -> None:
    def names(optimizer: Any, gradients: bool, model: Any = None) -> frozenset[str]:
        learning = Learning(task="binary", model=model or LinearModel(), optimizer=optimizer)
        learner = Learner(learning)
        return lossy_names(learner.specs, learner.parameters, gradients)

    for optimizer in (Sgd(), Momentum(), Adam(), AdaGrad()):
        assert names(optimizer, False) == names(optimizer, True) == {"weights"}
    assert names(Ftrl(), False) == set()
    assert names(Ftrl(), True) == {"weights"}
    assert names(Adam(), False, FmModel(factors=2)) == {"weights", "factors"}


def test_a_compression_says_what_it_leaves_out() -> None:
    with pytest.raises(ConfigError, match="float16 or int8"):
        Compression()
    for share in (0.0, 1.0):
        with pytest.raises(ConfigError, match="top"):
            Compression(top=share)
    for mode in (Local, Sync, Bounded, Async):
        assert mode().compression is None
        assert mode.from_json({"compression": {"top": 0.1}}).compression == Compression(top=0.1)
