"""Frames of rounded changes: every trainer holds what the publisher thinks it holds, to the bit."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from flink_ol.core import trainer
from flink_ol.core.config import AdaGrad, Adam, Features
from flink_ol.core.learner import Learner
from flink_ol.core.messages import Frame, Hello, Update, Version, Worker
from flink_ol.core.modes.local import LocalTrainer
from flink_ol.core.quantisation import Numbers
from flink_ol.core.rounded_frames import codes_of, taken, told, view_of
from flink_ol.core.state import ArraySpec, Delta, State
from flink_ol.wire.frames import decode_frame, encode_frame
from tests.core.frame_job import ME, SETTINGS, Job, learn, learning, show, updates

NUMBERS = get_args(Numbers)
ROUNDED = {
    **{name: SETTINGS[name] for name in ("standardised sgd", "fm", "mlp", "admission")},
    "adagrad": learning(optimizer=AdaGrad()),
    "adam": learning(optimizer=Adam(), features=Features(scale="none")),
}
OTHER = Worker(1, 12)


def same_view(state: trainer.TrainerState, view: State) -> bool:
    assert state.view is not None
    keys = view.vocabulary.keys
    return np.array_equal(state.view.vocabulary.keys, keys) and all(
        state.view.rows(spec.name).tobytes() == view.rows(spec.name).tobytes()
        for spec in view.specs
    )


def through_wire(frame: Frame) -> Frame:
    return decode_frame(encode_frame(frame))


@pytest.mark.parametrize("numbers", NUMBERS)
@pytest.mark.parametrize("name", ROUNDED)
def test_every_trainer_holds_the_publishers_view_to_the_bit(name: str, numbers: Numbers) -> None:
    rng = np.random.default_rng(5)
    learner = Learner(ROUNDED[name])
    machine, job = LocalTrainer(learner), Job(learner, numbers)
    workers = [machine.initial(ME), machine.initial(OTHER)]
    for state in workers:
        job.hello(state.worker)
    sent: list[list[Update]] = [[], []]
    read, changes = [0, 0], 0
    for number in range(60):
        own = int(rng.integers(2))
        sent[own] += updates(learn(machine, workers[own], number, own))
        for _ in range(int(rng.integers(3))):
            if sent[own]:
                job.take(sent[own].pop(0))
        for i, state in enumerate(workers):
            for frame in job.frames[read[i] :][: int(rng.integers(5))]:
                show(machine, state, through_wire(frame))
                read[i] += 1
            if job.frames and state.version == job.frames[-1].version:
                assert job.state.frames.view is not None
                assert same_view(state, job.state.frames.view)
                rebuilt = _rebuilt(learner, state, job)
                for spec in learner.specs:
                    if not state.pending:
                        held = state.replica.rows(spec.name)
                        assert held.tobytes() == rebuilt.rows(spec.name).tobytes(), spec.name
                    changes += job.frames[-1].parent is not None
    assert changes > 5
    assert not any(state.orphans for state in workers)


def _rebuilt(learner: Learner, state: trainer.TrainerState, job: Job) -> State:
    """The model with the publisher's view in it, rows as in the trainer's replica."""
    view, keys = job.state.frames.view, state.replica.vocabulary.keys
    assert view is not None
    model = job.state.arrays.copy()
    model.assign(Delta(view.vocabulary.keys, {s.name: view.rows(s.name) for s in view.specs}))
    values = model.values(model.slots(keys))
    return State.of(learner.specs, keys, values.arrays)


@pytest.mark.parametrize("numbers", NUMBERS)
def test_errors_stay_within_one_rounding_over_a_thousand_versions(numbers: Numbers) -> None:
    rng = np.random.default_rng(1)
    specs = (ArraySpec("weights", (8,), "mean"), ArraySpec("layer", (40, 5), "mean", False))
    model = State(specs, np.arange(300, dtype=np.int64))
    codes = dict.fromkeys(("weights", "layer"), numbers)
    whole = model.values(np.arange(300))
    view = view_of(specs, codes, whole.keys, whole.arrays)
    trained = view.copy()
    # half of the last place of the largest of a block: 7 bits of an integer, 11 of a half float
    share = 2.0**-7 if numbers == "int8" else 2.0**-11
    worst = 0.0
    for _ in range(1_000):
        slots = rng.choice(300, 40, replace=False)
        model.arrays["weights"][slots] += rng.normal(0, 0.1, (40, 8))
        model.arrays["layer"] += rng.normal(0, 0.1, (40, 5))
        before = model.values(slots)
        untold = {
            "weights": before.arrays["weights"] - view.arrays["weights"][slots],
            "layer": before.arrays["layer"] - view.arrays["layer"],
        }
        changes = told(view, before, codes)
        assert changes is not None
        taken(trained, changes)
        for name, difference in untold.items():
            held = view.arrays[name][slots] if name == "weights" else view.arrays[name]
            error = np.abs(before.arrays[name] - held).max()
            assert error <= share * np.abs(difference).max()
            worst = max(worst, error)
    assert worst < 0.1 * 6 * share
    for spec in specs:
        assert trained.rows(spec.name).tobytes() == view.rows(spec.name).tobytes()
        # rows touched long ago too, whatever came over them since
        assert np.abs(model.rows(spec.name) - view.rows(spec.name)).max() <= worst


def test_whole_frames_are_the_model_exactly_and_views_begin_anew() -> None:
    learner = Learner(ROUNDED["standardised sgd"])
    machine, job = LocalTrainer(learner), Job(learner, "int8")
    state = machine.initial(ME)
    job.hello()
    rounded = 0
    for number in range(40):
        for frame in job.frames:
            show(machine, state, frame)
        for update in updates(learn(machine, state, number)):
            job.take(update)
        frame, whole = job.frames[-1], job.wholes[-1]
        same = np.array_equal(frame.arrays["weights"], whole.arrays["weights"])
        assert same == (frame.parent is None)
        rounded += not same
        if number % 10 == 9:
            job.hello()
            assert job.frames[-1].parent is None
            assert np.array_equal(
                job.frames[-1].arrays["weights"], job.wholes[-1].arrays["weights"]
            )
    assert rounded > 20


@pytest.mark.parametrize("name", ["standardised sgd", "mlp"])
def test_a_restored_chain_gives_the_view_of_the_life_before(name: str) -> None:
    learner = Learner(ROUNDED[name])
    machine, job = LocalTrainer(learner), Job(learner, "int8")
    state = machine.initial(ME)
    job.hello()
    chain: list[bytes] = []
    for number in range(30):
        for frame in job.frames:
            if show(machine, state, frame) == [] and state.version == frame.version:
                encoded = encode_frame(frame)
                if not chain or chain[-1] != encoded:
                    chain = [*(chain if frame.parent else []), encoded]
        for update in updates(learn(machine, state, number)):
            job.take(update)
    other = machine.initial(OTHER)
    for encoded in chain:
        machine.handle(other, trainer.FrameRestored(decode_frame(encoded)))
    assert len(chain) > 3
    assert other.version == state.version
    assert state.view is not None
    assert same_view(other, state.view)


def test_a_model_restored_from_its_snapshot_begins_with_a_whole_frame() -> None:
    learner = Learner(ROUNDED["standardised sgd"])
    machine, job = LocalTrainer(learner), Job(learner, "int8")
    state = machine.initial(ME)
    job.hello()
    for number in range(8):
        for frame in job.frames:
            show(machine, state, frame)
        for update in updates(learn(machine, state, number)):
            job.take(update)
    before = job.frames[-1]
    assert before.parent is not None
    job.state = job.model.restored(job.model.snapshot(job.state, 0))
    job.state.frames.small_bytes = 0
    for update in updates(learn(machine, state, 8)):
        job.take(update)
    assert job.frames[-1].parent is None
    assert np.array_equal(job.frames[-1].arrays["weights"], job.state.arrays.rows("weights"))


def test_a_rounded_change_of_a_frame_without_a_view_asks_for_a_whole_one() -> None:
    learner = Learner(ROUNDED["standardised sgd"])
    machine, job = LocalTrainer(learner), Job(learner, "int8")
    state = machine.initial(ME)
    job.hello()
    show(machine, state, job.frames[0]._replace(codes={}))
    learned = updates(learn(machine, state, 0))
    before = state.version
    for update in learned:
        job.take(update)
    assert job.frames[-1].parent == before
    assert show(machine, state, job.frames[-1]) == [trainer.SayHello(Hello(ME))]
    assert state.waits
    assert state.version == before


@pytest.mark.parametrize("name", ROUNDED)
def test_only_parameters_are_rounded(name: str) -> None:
    learner = Learner(ROUNDED[name])
    machine, job = LocalTrainer(learner), Job(learner, "int8")
    state = machine.initial(ME)
    job.hello()
    codes = codes_of(learner, "int8")
    assert codes
    assert codes.keys() <= learner.parameters
    for number in range(12):
        for frame in job.frames:
            show(machine, state, frame)
        for update in updates(learn(machine, state, number)):
            job.take(update)
        frame, whole = job.frames[-1], job.wholes[-1]
        slots = State(learner.specs, whole.keys).slots(frame.keys)
        for spec in learner.specs:
            if spec.name not in codes:
                rows = slots if spec.per_feature else ...
                expected = whole.arrays[spec.name][rows]
                assert np.array_equal(frame.arrays[spec.name], expected), spec.name


@pytest.mark.parametrize(("numbers", "each"), [("int8", 1), ("float16", 2)])
def test_the_wire_takes_a_byte_or_two_for_a_number(numbers: Numbers, each: int) -> None:
    specs = (ArraySpec("weights", (64,), "mean"),)
    keys, codes = np.arange(500, dtype=np.int64), {"weights": numbers}
    view = State(specs, keys)
    drawn = np.random.default_rng(0).normal(size=(500, 64))
    values = told(view, Delta(keys, {"weights": drawn}), codes)
    assert values is not None
    version = Version(7, 4)
    frame = Frame(version, (), {}, 1.0, *values[:2], parent=Version(7, 3), codes=codes)
    encoded = encode_frame(frame)
    assert 500 * 64 * each < len(encoded) < 500 * (64 * each + 4) + 2_000  # keys of 4 bytes
    assert np.array_equal(decode_frame(encoded).arrays["weights"], values.arrays["weights"])


def test_ftrl_has_nothing_to_round() -> None:
    assert codes_of(Learner(SETTINGS["ftrl"]), "int8") == {}
    assert codes_of(Learner(SETTINGS["mlp"]), None) == {}
