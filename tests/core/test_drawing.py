"""Numbers drawn by counter: repeatable, order-free, and as random as the textbook asks."""

from __future__ import annotations

import numpy as np

from flink_ol.core.families.drawing import uniforms

KEYS = np.array([3, -7, 2**62, -(2**63), 0, 2**63 - 1, -1], np.int64)


def test_the_generator_is_splitmix64() -> None:
    """Against plain integers."""

    def mixed(z: int) -> int:
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        return z ^ (z >> 31)

    golden, expected = 0x9E3779B97F4A7C15, []
    for key in (-7, 12):
        start = mixed((mixed((mixed(5) + golden * 2) % 2**64) + golden * key) % 2**64)
        expected.append([(mixed((start + golden * i) % 2**64) >> 11) / 2**53 for i in (1, 2, 3)])
    drawn = uniforms(5, 2, np.array([-7, 12], np.int64), 3)
    assert np.array_equal(drawn, expected)
    # the first output of the published generator for the seed 0
    assert mixed(golden) == 0xE220A8397B1DCDAF


def test_what_is_drawn_for_a_key_depends_on_nothing_else() -> None:
    whole = uniforms(9, 1, KEYS, 40)
    for i, key in enumerate(KEYS):
        assert np.array_equal(uniforms(9, 1, np.array([key]), 40)[0], whole[i])
    assert np.array_equal(uniforms(9, 1, KEYS[::-1], 7), whole[::-1, :7])


def test_seeds_streams_and_keys_draw_different_numbers() -> None:
    drawn = [uniforms(seed, stream, KEYS, 3) for seed in (0, 1, 2**63) for stream in (0, 1, 2)]
    assert len(np.unique(np.stack(drawn))) == 9 * 3 * len(KEYS)


def test_the_numbers_are_uniform_and_not_correlated() -> None:
    drawn = uniforms(0, 0, np.arange(500, dtype=np.int64), 400)
    assert drawn.min() >= 0.0
    assert drawn.max() < 1.0
    counts = np.histogram(drawn, 64, (0.0, 1.0))[0]
    expected = drawn.size / 64
    assert ((counts - expected) ** 2 / expected).sum() < 120.0  # 63 degrees of freedom
    for one, other in ((drawn[1:], drawn[:-1]), (drawn[:, 1:], drawn[:, :-1])):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.01


def test_no_keys_draw_nothing() -> None:
    assert uniforms(0, 0, np.empty(0, np.int64), 3).shape == (0, 3)
