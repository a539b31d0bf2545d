"""Features that enter after n samples: a plain dictionary of counts is the witness."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flink_ol.core.config import Admission, Features, FmModel, HiddenLayer, Learning, MlpModel, Sgd
from flink_ol.core.evaluation import Evaluation, metrics
from flink_ol.core.learner import Learner
from flink_ol.core.loop import Loop
from flink_ol.core.samples import Samples
from flink_ol.core.state import State
from tests.core import laws
from tests.core.simulation import Simulation
from tests.core.simulation import samples as simulated
from tests.core.streams import batches, random_samples, samples_of
from tests.core.tasks import OPTIMIZERS

NAN = float("nan")
OCCURRENCES = 12


def learning(occurrences: int = OCCURRENCES, waiting: int = 1 << 18, **rest: object) -> Learning:
    admission = Admission(occurrences=occurrences, waiting=waiting)
    fields = {"task": "binary", "features": Features(admission=admission), **rest}
    return Learning(**fields)  # type: ignore[arg-type]


def without_admission(settings: Learning) -> Learning:
    fields = settings.to_json()
    fields["features"]["admission"] = None
    return Learning.from_json(fields)


FAMILIES = {
    "linear": learning(),
    "unscaled": learning(features=Features(scale="none", admission=Admission(occurrences=5))),
    "mean": learning(
        features=Features(scale="none", missing="mean", admission=Admission(occurrences=5))
    ),
    "ftrl": learning(task="multiclass", classes=4, optimizer=OPTIMIZERS["ftrl"]),
    "fm": learning(model=FmModel(factors=3), optimizer=Sgd(learning_rate=0.01)),
    "mlp": learning(
        model=MlpModel(hidden=(HiddenLayer(units=4),)), optimizer=Sgd(learning_rate=0.01)
    ),
}
each = pytest.mark.parametrize("settings", FAMILIES.values(), ids=FAMILIES)


def plainly_admitted(samples: Samples, occurrences: int) -> Samples:
    """The samples without what comes too early, counted by hand one by one."""
    seen: Counter[int] = Counter()
    rows = []
    for i in range(len(samples)):
        part = slice(samples.indptr[i], samples.indptr[i + 1])
        entries = list(
            zip(
                samples.keys[part].tolist(),
                samples.values[part].tolist(),
                samples.numeric[part].tolist(),
                strict=True,
            )
        )
        seen.update({key for key, _, _ in entries})
        rows.append([entry for entry in entries if seen[entry[0]] >= occurrences])
    return samples_of(rows, samples.labels.tolist(), samples.importance.tolist())


def looped(settings: Learning, parts: list[Samples]) -> Loop:
    loop = Loop(Learner(settings), "plain", "hash", lambda: 1)
    for part in parts:
        assert loop.batch(0, part) == []
    return loop


def state_of(settings: Learning, loop: Loop) -> State:
    frame = loop.snapshot().frame
    return State.of(Learner(settings).specs, frame.keys, frame.arrays)


@each
def test_one_worker_does_what_a_plain_loop_does(settings: Learning) -> None:
    admission = settings.features.admission
    assert admission is not None
    samples = random_samples(settings, 90, seed=3, weighted=True)
    filtered = plainly_admitted(samples, admission.occurrences)
    assert 0 < len(filtered.keys) < len(samples.keys)
    plain = without_admission(settings)
    # mini-batches end with the batch: the same cuts for both
    ours = state_of(settings, looped(settings, batches(samples, seed=4)))
    theirs = state_of(plain, looped(plain, batches(filtered, seed=4)))
    assert np.array_equal(ours.vocabulary.keys, theirs.vocabulary.keys)
    for spec in ours.specs:
        np.testing.assert_allclose(ours.rows(spec.name), theirs.rows(spec.name), rtol=1e-9)


@given(st.lists(st.lists(st.integers(0, 9), max_size=6), max_size=40), st.integers(1, 4))
def test_where_batches_begin_changes_nothing(rows: list[list[int]], occurrences: int) -> None:
    made = [[(key, 1.0, False) for key in row] for row in rows]
    samples = samples_of(made, [float(i % 2) for i in range(len(rows))])
    whole = looped(learning(occurrences), [samples])
    single = looped(learning(occurrences), [samples.rows(i, i + 1) for i in range(len(samples))])
    expected = {int(k) for k in plainly_admitted(samples, occurrences).keys}
    for loop in (whole, single):
        frame = loop.snapshot().frame
        assert set(frame.keys.tolist()) == expected
        assert frame.waiting is not None
        counts = dict(zip(*(part.tolist() for part in frame.waiting), strict=True))
        samples_with = Counter(key for row in rows for key in set(row))
        waits = {key: n for key, n in samples_with.items() if n < occurrences}
        assert {key: n for key, n in counts.items() if n} == waits


@each
def test_a_batch_taken_back_was_never_counted(settings: Learning) -> None:
    learner = Learner(settings)
    state = learner.initial()
    samples = random_samples(settings, 60, seed=5)
    learned(learner, state, samples.rows(0, 6))
    before = state.copy()
    mark = learned(learner, state, samples.rows(6, 60))
    assert state.vocabulary.size > before.vocabulary.size
    learner.restore(state, mark)
    assert laws.same(state, before)
    ours, theirs = state.waiting.content(), before.waiting.content()
    assert counts_of(ours) == counts_of(theirs)


def learned(learner: Learner, state: State, samples: Samples):  # type: ignore[no-untyped-def]
    samples = learner.filled(state, samples)
    mark = learner.mark(state, samples)
    learner.learn(state, samples, NAN, 1.0)
    return mark


def counts_of(content) -> dict[int, int]:  # type: ignore[no-untyped-def]
    pairs = zip(content.keys.tolist(), content.counts.tolist(), strict=True)
    return {key: count for key, count in pairs if count}


def test_the_order_of_updates_changes_no_count() -> None:
    made = learning(3)
    learner = Learner(made)
    deltas = []
    for part in batches(random_samples(made, 12, seed=6), seed=7):
        state = learner.initial()
        samples = learner.filled(state, part)
        mark = learner.mark(state, samples)
        learner.learn(state, samples, NAN, 1.0)
        deltas.append(learner.difference(state, mark, samples))
    found = []
    for order in (deltas, deltas[::-1], deltas[1::2] + deltas[::2]):
        state = learner.initial()
        for delta in order:
            learner.merge(state, delta, 1.0)
        found.append((set(state.vocabulary.keys.tolist()), counts_of(state.waiting.content())))
    assert found[0] == found[1] == found[2]
    assert found[0][0]
    assert found[0][1]


def test_workers_count_together() -> None:
    learner = Learner(learning(4))
    model, row = learner.initial(), samples_of([[(7, 1.0, False)], [(7, 1.0, False)]], [0.0, 1.0])
    for _ in range(2):  # neither has seen what the other met
        worker = learner.initial()
        samples = learner.filled(worker, row)
        mark = learner.mark(worker, samples)
        learner.merge(model, learner.difference(worker, mark, samples), 0.5)
    assert model.vocabulary.size == 0
    assert counts_of(model.waiting.content()) == {7: 4}
    assert len(learner.filled(model, row).keys) == 2


@settings(max_examples=30)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.data())
def test_a_restart_in_the_middle_counts_every_sample_once(
    sizes: list[int], data: st.DataObject
) -> None:
    made = learning(OCCURRENCES)
    simulation = Simulation(Learner(made), 1, 1)
    for size in sizes:
        simulation.batch(0, size)
        what = data.draw(st.sampled_from(["deliver", "checkpoint", "crash", "feed"]))
        if what == "crash":
            simulation.crash()
        elif what == "checkpoint":
            simulation.checkpoint()
        elif what == "deliver":
            simulation.deliver(0)
        else:
            simulation.feed_back(0, 1)
    simulation.drain()
    count = simulation.offsets[0]
    plain = learned_by_one(made, count)
    ours = simulation.model_state.arrays
    assert counts_of(ours.waiting.content()) == counts_of(plain.waiting.content())
    assert np.array_equal(ours.vocabulary.keys, plain.vocabulary.keys)
    np.testing.assert_allclose(ours.rows("weights"), plain.rows("weights"), rtol=1e-9, atol=1e-12)


def learned_by_one(made: Learning, count: int) -> State:
    learner = Learner(made)
    state = learner.initial()
    if count:
        learned(learner, state, simulated(0, 0, count))
    return state


def test_a_sample_that_becomes_a_dead_letter_counts_for_no_feature() -> None:
    features = Features(scale="none", admission=Admission(occurrences=2))
    made = learning(task="regression", features=features)
    loop = Loop(Learner(made), "plain", "hash", lambda: 1)
    row = [(1, 1.0, True), (2, 1.0, True)]
    huge = samples_of([row, [*row, (3, 1.0, True)]], [0.0, 1e308])
    letters = loop.batch(0, huge)
    frame = loop.snapshot().frame
    assert [letter.offset for letter in letters] == [1]
    assert counts_of(frame.waiting) == {1: 1, 2: 1}
    assert frame.keys.tolist() == []


def test_an_endless_stream_of_new_features_leaves_the_model_small() -> None:
    loop = Loop(Learner(learning(2, waiting=5_000)), "plain", "hash", lambda: 1)
    largest, distinct = 0, 0
    for _ in range(100):
        rows = [
            [(1_000_000 + distinct + 20 * i + j, 1.0, False) for j in range(20)]
            + [(i % 7, 1.0, False)]
            for i in range(100)
        ]
        distinct += 2_000
        loop.batch(0, samples_of(rows, [float(i % 2) for i in range(100)]))
        waiting = loop.snapshot().frame.waiting
        assert waiting is not None
        largest = max(largest, len(waiting.keys))
    assert distinct == 200_000
    assert loop.snapshot().frame.keys.tolist() == list(range(7))
    assert 2_500 <= largest <= 5_000 + 2_007


def test_a_slice_is_evaluated_by_a_value_that_still_waits() -> None:
    made = learning(3)
    samples = samples_of([[(7, 1.0, False)], [(8, 1.0, False)]], [0.0, 1.0])
    samples = Samples(*samples[:-2], {7: "city=a", 8: "city=b"})
    learner = Learner(made, Evaluation(slices=("city",)))
    state = learner.initial()
    filled = learner.filled(state, samples)
    learner.mark(state, filled)
    sums = learner.learn(state, filled, NAN, 1.0)
    assert set(metrics(sums, made, {})["slices"]["city"]["values"]) == {"a", "b"}
