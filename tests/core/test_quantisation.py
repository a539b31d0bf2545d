"""Numbers of one or two bytes: how near they are, and that coding them again changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from flink_ol.core.quantisation import Numbers, coded, decoded, rounded

BOTH = pytest.mark.parametrize("numbers", ["float16", "int8"])
FINITE = st.floats(-1e300, 1e300) | st.floats(-1, 1) | st.sampled_from([65_504.0, 65_520.0, 1e-8])
ARRAYS = npst.arrays(np.float64, npst.array_shapes(max_dims=3, max_side=40), elements=FINITE)


@BOTH
@given(ARRAYS)
def test_what_was_rounded_is_coded_without_loss(numbers: Numbers, array: np.ndarray) -> None:
    once = rounded(numbers, array)
    assert np.isfinite(once).all()
    np.testing.assert_array_equal(rounded(numbers, once), once)


@BOTH
@given(ARRAYS)
def test_a_number_is_as_near_as_the_largest_of_its_block_allows(
    numbers: Numbers, array: np.ndarray
) -> None:
    # in float16 numbers near the largest one have 11 bits, in int8 7
    share = {"float16": 2.0**-11, "int8": 2.0**-7}[numbers]
    most = np.abs(array).max()
    assert (np.abs(rounded(numbers, array) - array) <= max(share * most, 2.0**-900)).all()


@BOTH
def test_a_large_number_takes_nothing_from_other_blocks(numbers: Numbers) -> None:
    array = np.full((600, 1), 1e-6)
    array[0] = 1e6
    near = rounded(numbers, array)
    np.testing.assert_allclose(near[300:], array[300:], rtol=0.01)
    assert (near[1:256] == 0).all() or numbers == "float16"


@BOTH
def test_rows_of_zeros_change_no_code_of_the_others(numbers: Numbers) -> None:
    array = np.random.default_rng(0).normal(size=(700, 3))
    array[np.arange(700) % 10 > 0] = 0.0
    near = rounded(numbers, array)
    codes, exponents = coded(numbers, near)
    np.testing.assert_array_equal(decoded(codes, exponents), near)
    assert not near[array == 0.0].any()
    assert not np.signbit(near[array == 0.0]).any()


@BOTH
def test_single_precision_stays_single(numbers: Numbers) -> None:
    array = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    once = rounded(numbers, array)
    assert once.dtype == np.float32
    np.testing.assert_array_equal(rounded(numbers, once), once)
