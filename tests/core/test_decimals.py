"""Decimals read by compiled code are those that Python reads, to the last bit."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from flink_ol.core.features.decimals import LARGEST, decimal

MANTISSAS = st.one_of(st.integers(0, LARGEST - 1), st.integers(0, 1 << 54), st.integers(0, 999))


@given(MANTISSAS, st.integers(-400, 400))
@example(9007199254740993, 0)  # in the middle between two numbers
@example(9007199254740993, -1)
@example(9007199254740991, 22)
@example(5, -324)  # the least number above 0
@example(22250738585072014, -324)  # the least that is not subnormal
@example(17976931348623157, 292)  # the largest
@example(17976931348623159, 292)
@example(123456789012345678, -400)
def test_what_is_given_is_right_to_the_last_bit(mantissa: int, exponent: int) -> None:
    found, value = decimal(mantissa, exponent)
    assert not found or value == float(f"{mantissa}e{exponent}")


def test_nearly_all_numbers_as_programs_write_them_are_given() -> None:
    rng = np.random.default_rng(3)
    bits = np.frombuffer(rng.bytes(80_000), np.float64)
    normal = bits[np.isfinite(bits) & (np.abs(bits) >= np.finfo(np.float64).tiny)]
    assert _missed(rng.normal(size=10_000)) == 0
    assert _missed(normal) < 0.01 * len(normal)  # whole numbers beyond 2^50 with a digit behind


def _missed(numbers: np.ndarray) -> int:
    """How many are not given; all others are checked."""
    missed = 0
    for number in np.abs(numbers).tolist():
        digits, _, power = repr(number).partition("e")
        whole, _, behind = digits.partition(".")
        found, value = decimal(int(whole + behind), int(power or 0) - len(behind))
        assert not found or value == number
        missed += not found
    return missed
