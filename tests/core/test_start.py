"""Beginning with a model that another job learned: it goes on as if it were the same stream."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from flink_ol.core.compatibility import misfits
from flink_ol.core.config import Learning
from flink_ol.core.learner import Learner
from flink_ol.core.loop import Loop
from flink_ol.core.messages import INITIAL, Snapshot, Worker
from flink_ol.core.model import Model
from flink_ol.core.modes.local import LocalTrainer
from flink_ol.core.samples import Samples
from flink_ol.core.start import start_of
from flink_ol.wire.formats import sample_format
from flink_ol.wire.json_samples import JsonFields
from flink_ol.wire.model_file import decode_snapshot, encode_snapshot
from tests.running_job import json_records

CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "sgd": {},
    "adam": {"optimizer": {"name": "adam"}},
    "ftrl": {"optimizer": {"name": "ftrl"}},
    "hashed": {"features": {"hash_bits": 3, "scale": "min_max"}},
    "fm": {"model": {"family": "fm", "factors": 3}, "optimizer": {"name": "adagrad"}},
    "mlp": {"model": {"family": "mlp", "hidden": [4], "batch_size": 1}},
}


def _learning(fields: dict[str, Any]) -> Learning:
    return Learning.from_json({"task": "binary", **fields})


def _samples(learning: Learning, first: int, end: int) -> Samples:
    decoder = sample_format("json", JsonFields(), learning)
    return decoder.decode(json_records(9, 600)[first:end], np.arange(first, end))[0]


def _loop(learner: Learner) -> Loop:
    return Loop(learner, "job", "hash", lambda: 1)


def _first_half(learning: Learning) -> Snapshot:
    loop = _loop(Learner(learning))
    loop.batch(0, _samples(learning, 0, 300))
    return decode_snapshot(encode_snapshot(loop.snapshot(), {}))


@pytest.mark.parametrize("fields", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_two_halves_give_the_model_of_the_whole_and_a_new_ledger(fields: dict[str, Any]) -> None:
    learning = _learning(fields)
    whole = _loop(Learner(learning))
    whole.batch(0, _samples(learning, 0, 300))
    whole.batch(0, _samples(learning, 300, 600))
    first = _first_half(learning)
    assert misfits(first, learning) == []
    second = _loop(Learner(learning, start=start_of(first)))
    second.batch(0, _samples(learning, 300, 600))
    ours, theirs = second.snapshot(), whole.snapshot()
    np.testing.assert_array_equal(ours.frame.keys, theirs.frame.keys)
    for name, array in theirs.frame.arrays.items():
        np.testing.assert_array_equal(ours.frame.arrays[name], array, err_msg=name)
    assert ours.names == theirs.names
    assert ours.ledger[0].learned.count == 300


def test_version_0_of_every_replica_is_the_model_to_begin_with() -> None:
    learning = _learning({})
    first = _first_half(learning)
    learner = Learner(learning, start=start_of(first))
    model, trainer = (
        Model(learner, "job", "hash").initial(),
        LocalTrainer(learner).initial(Worker(0, 1)),
    )
    assert model.version == trainer.version == INITIAL
    for state in (model.arrays, trainer.replica):
        np.testing.assert_array_equal(state.rows("weights"), first.frame.arrays["weights"])
    assert model.names.first == first.names
    assert trainer.known.holds(trainer.replica.vocabulary.find(first.frame.keys)).all()
    assert not model.ledger
    # neither learns into the arrays that the other begins with
    trainer.replica.rows("weights")[...] = 7.0
    assert not (learner.initial().rows("weights") == 7.0).any()


def test_a_log_that_began_from_nothing_is_folded_from_nothing() -> None:
    learning = _learning({})
    learner = Learner(learning, start=start_of(_first_half(learning)))
    assert Model(learner, "job", "hash").initial(from_nothing=True).arrays.vocabulary.size == 0


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"task": "regression"}, "task: binary -> regression"),
        ({"model": {"family": "fm"}}, "model.family: linear -> fm: the model's arrays are laid"),
        ({"loss": {"name": "hinge"}}, "loss.name: logistic -> hinge"),
        ({"classes": ["no", "yes"]}, "classes: null -> ['no', 'yes']"),
        ({"features": {"hash_bits": 5}}, "features.hash_bits: null -> 5"),
        ({"optimizer": {"name": "ftrl"}}, "optimizer.name: sgd -> ftrl"),
    ],
)
def test_what_does_not_fit_is_named(fields: dict[str, Any], said: str) -> None:
    found = misfits(_first_half(_learning({})), _learning(fields))
    assert any(text.startswith(said) for text in found), found


def test_arrays_of_another_shape_and_numbers_that_are_not_finite_are_named() -> None:
    learning = _learning({})
    snapshot = _first_half(learning)
    arrays = dict(snapshot.frame.arrays)
    arrays["weights"] = arrays["weights"][:-1]
    arrays["intercept"] = np.full_like(arrays["intercept"], np.nan)
    del arrays["steps"]
    broken = snapshot._replace(
        frame=snapshot.frame._replace(arrays={**arrays, "novel": np.zeros(2)})
    )
    found = " ".join(misfits(broken, learning))
    for said in ("array weights is float64 of shape", "array steps is missing", "not finite"):
        assert said in found
    assert "array novel is not one of the model's" in found
