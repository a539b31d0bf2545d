"""Named arrays: growing, merging and copying by what their specs declare."""

from __future__ import annotations

import numpy as np
import pytest

from flink_ol.core.merging import MERGES
from flink_ol.core.state import ArraySpec, Delta, State


def ramp(keys: np.ndarray) -> np.ndarray:
    return np.stack([keys, -keys], axis=1).astype(np.float64)


SPECS = (
    ArraySpec("weights", (2,), "mean", initial=ramp),
    ArraySpec("counts", (), "sum", dtype="int64"),
    ArraySpec("shadow", (2,), "derived"),
    ArraySpec("bias", (2,), "mean", per_feature=False, initial=lambda: np.array([0.5, 1.5])),
)


def keys(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def delta() -> Delta:
    return Delta(
        keys(7, 3),
        {
            "weights": np.array([[1.0, 1.0], [2.0, 4.0]]),
            "counts": np.array([1, 2]),
            "shadow": np.full((2, 2), 9.0),
            "bias": np.array([1.0, -1.0]),
        },
    )


def test_new_keys_get_their_initial_rows_and_old_ones_keep_theirs() -> None:
    state = State(SPECS, keys(3, 1))
    state.arrays["weights"][0] = 42.0
    many = np.arange(10, 110, dtype=np.int64)
    slots = state.slots(np.concatenate([keys(1), many, keys(3)]))
    assert slots.tolist() == [1, *range(2, 102), 0]
    assert state.rows("weights").shape == (102, 2)
    assert state.rows("weights")[0].tolist() == [42.0, 42.0]
    assert np.array_equal(state.rows("weights")[1:], ramp(state.vocabulary.keys[1:]))
    assert not state.rows("counts").any()
    assert state.rows("counts").dtype == np.int64
    assert state.rows("bias").tolist() == [0.5, 1.5]


def test_a_merge_follows_each_arrays_rule() -> None:
    state = State(SPECS, keys(3))
    slots = state.merge(delta(), 0.5)
    assert slots.tolist() == [1, 0]
    assert state.rows("weights").tolist() == [[3.0 + 1.0, -3.0 + 2.0], [7.0 + 0.5, -7.0 + 0.5]]
    assert state.rows("counts").tolist() == [2, 1]
    assert not state.rows("shadow").any()
    assert state.rows("bias").tolist() == [1.0, 1.0]


def test_rows_that_stand_together_are_merged_and_set_like_any_others() -> None:
    together, apart = State(SPECS, keys(1, 7, 3, 2)), State(SPECS, keys(7, 2, 1, 3))
    for state in (together, apart):
        state.merge(delta(), 0.5)
        state.assign(Delta(keys(3, 2), {"counts": np.array([8, 9])}))
    for spec in SPECS:
        order = apart.vocabulary.find(together.vocabulary.keys) if spec.per_feature else ...
        assert np.array_equal(together.rows(spec.name), apart.rows(spec.name)[order])
    assert together.rows("counts").tolist() == [0, 1, 8, 9]


def test_a_merge_leaves_arrays_alone_that_the_delta_does_not_speak_of() -> None:
    state = State(SPECS, keys(3))
    before = state.copy()
    state.merge(Delta(keys(3), {"counts": np.array([5])}), 1.0)
    assert state.rows("counts").tolist() == [5]
    for name in ("weights", "shadow", "bias"):
        assert np.array_equal(state.rows(name), before.rows(name))


def test_a_copy_is_independent() -> None:
    state = State(SPECS, keys(3))
    twin = state.copy()
    twin.merge(delta(), 1.0)
    assert state.vocabulary.size == 1
    assert state.rows("bias").tolist() == [0.5, 1.5]
    assert state.rows("weights").tolist() == [[3.0, -3.0]]


def test_values_assigned_elsewhere_are_the_same_rows_under_any_slots() -> None:
    state = State(SPECS, keys(3, 1, 7))
    state.merge(delta(), 0.5)
    state.arrays["shadow"][2] = 8.0
    values = state.values(keys(2, 0))
    assert values.keys.tolist() == [7, 3]
    other = State(SPECS, keys(5, 3))
    slots = other.assign(values)
    assert slots.tolist() == [2, 1]
    assert other.vocabulary.keys.tolist() == [5, 3, 7]
    for spec in SPECS:
        if spec.per_feature:
            assert np.array_equal(other.rows(spec.name)[slots], state.rows(spec.name)[[2, 0]])
        else:
            assert np.array_equal(other.rows(spec.name), state.rows(spec.name))
    assert other.rows("weights")[0].tolist() == [5.0, -5.0]


def test_removed_rows_are_gone_and_the_others_keep_their_numbers() -> None:
    state = State(SPECS)
    met = np.arange(100, 140)
    slots = state.slots(met)
    for spec in SPECS:
        if spec.per_feature:
            numbers = slots.reshape(-1, *[1] * len(spec.shape))
            state.arrays[spec.name][slots] = np.broadcast_to(numbers, (40, *spec.shape))
    before = state.copy()
    gone = np.array([139, 5, 100, 117])
    kept = state.remove(gone)
    assert kept.tolist() == [i for i in range(40) if i not in (0, 17, 39)]
    assert state.vocabulary.keys.tolist() == met[kept].tolist()
    assert (state.vocabulary.find(gone) < 0).all()
    for spec in SPECS:
        expected = before.rows(spec.name)
        assert np.array_equal(
            state.rows(spec.name), expected[kept] if spec.per_feature else expected
        )
    state.slots(gone)
    assert state.vocabulary.size == 41
    for spec in SPECS:
        if spec.per_feature:
            assert np.array_equal(
                state.rows(spec.name)[-2:], State(SPECS, gone[-2:]).rows(spec.name)
            )


@pytest.mark.parametrize("slots", [keys(0, 1), keys(1, 0)])
def test_values_are_copies(slots: np.ndarray) -> None:
    state = State(SPECS, keys(3, 7))
    values = state.values(slots)
    before = state.copy()
    for array in values.arrays.values():
        array[...] = 99
    for spec in SPECS:
        assert np.array_equal(state.rows(spec.name), before.rows(spec.name))


def test_assigning_leaves_arrays_alone_that_are_not_spoken_of() -> None:
    state = State(SPECS, keys(3))
    state.assign(Delta(keys(3, 9), {"counts": np.array([5, 6])}))
    assert state.rows("counts").tolist() == [5, 6]
    assert state.rows("weights").tolist() == [[3.0, -3.0], [9.0, -9.0]]
    assert state.rows("bias").tolist() == [0.5, 1.5]


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_one_number_that_is_not_finite_makes_the_difference_so(number: float) -> None:
    good = delta()
    assert good.finite()
    good.arrays["weights"][1, 1] = number
    assert not good.finite()


@pytest.mark.parametrize("name", [name for name, rule in MERGES.items() if rule])
def test_rules_are_pure_and_zero_changes_nothing(name: str) -> None:
    rule = MERGES[name]
    assert rule is not None
    rows, difference = np.array([[3.0, 2.0, 5.0]]), np.array([[2.0, 4.0, 1.0]])
    inputs = rows.copy(), difference.copy()
    merged = rule(rows, difference, 0.5)
    assert np.array_equal(rows, inputs[0])
    assert np.array_equal(difference, inputs[1])
    assert not np.array_equal(merged, rows)
    assert np.array_equal(rule(rows, np.zeros_like(rows), 0.5), rows)


@pytest.mark.parametrize("name", [name for name, rule in MERGES.items() if rule])
def test_rules_do_not_care_who_comes_first(name: str) -> None:
    rule = MERGES[name]
    assert rule is not None
    rng = np.random.default_rng(1)
    base, one, other = (np.abs(rng.normal(size=(20, 3))) for _ in range(3))
    np.testing.assert_allclose(
        rule(rule(base, one, 0.3), other, 0.7), rule(rule(base, other, 0.7), one, 0.3), rtol=1e-12
    )
