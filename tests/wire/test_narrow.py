"""Arrays in fewer bytes: what was rounded comes back as it was, and damage is refused in words."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flink_ol.core.quantisation import Numbers, rounded
from flink_ol.core.residual import Change
from flink_ol.core.state import Delta
from flink_ol.wire.errors import WireError
from flink_ol.wire.narrow import narrowed, widened
from flink_ol.wire.residuals import decode_residual, encode_residual
from flink_ol.wire.updates import decode_update, encode_update
from tests.wire.messages import same
from tests.wire.test_golden import FORMATS, UPDATE


def update(count: int, numbers: Numbers | None, told: float) -> tuple[int, int]:
    """Bytes of an update of ``count`` weights of which the share ``told`` is not zero: as
    narrow as they were rounded, and as they are."""
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(count, 1)) * (rng.random((count, 1)) < told)
    if numbers is not None:
        weights = rounded(numbers, weights)
    keys = rng.permutation(1 << 20)[:count].astype(np.int64)
    plain = UPDATE._replace(delta=Delta(keys, {"weights": weights}))
    narrow = plain._replace(codes={"weights": numbers or "float64"})
    encoded = encode_update(narrow)
    assert same(decode_update(encoded), narrow)
    return len(encoded), len(encode_update(plain))


def test_updates_are_as_small_as_their_numbers() -> None:
    count, beside = 10_000, 2_000
    # a key is 8 bytes, or 4 where keys are below 2^32
    for numbers, told, each in (("float16", 1.0, 4 + 2), ("int8", 1.0, 4 + 1), ("int8", 0.1, 4.5)):
        narrow, plain = update(count, numbers, told)  # type: ignore[arg-type]
        assert plain > 16 * count
        assert narrow < each * count + beside
    narrow, _ = update(count, None, 0.1)
    assert narrow < (4 + 0.1 * (8 + 4)) * count + beside


def test_arrays_that_were_not_rounded_stay_as_they_are() -> None:
    array = np.array([[0.1], [1e-9], [3.0]])
    told, narrow, others = narrowed({"weights": "int8"}, {"weights": array})
    assert not told
    assert not narrow
    np.testing.assert_array_equal(others["weights"], array)


@pytest.mark.parametrize("shape", [[40], [40, 3], [-1, 2], [1 << 40, 1 << 40], [], "x", None])
def test_shapes_that_are_none_are_refused(shape: object) -> None:
    told, narrow, _ = narrowed({"weights": "int8"}, {"weights": np.eye(40, 2)})
    told["weights"][2] = shape
    with pytest.raises((ValueError, TypeError, LookupError)):
        widened(told, narrow)


@given(st.integers(0, 10**6), st.integers(0, 7))
def test_a_flipped_bit_is_refused_in_words_or_read(position: int, bit: int) -> None:
    encoded = bytearray(FORMATS["update-4.safetensors"].written())
    encoded[position % len(encoded)] ^= 1 << bit
    with suppress(WireError):
        decode_update(bytes(encoded))


def test_what_is_kept_back_comes_back() -> None:
    rows = Delta(np.array([3, -4]), {"weights": np.array([[1e-9], [0.5]]), "layer": np.ones(70)})
    for change in (Change(rows), Change(rows, rows._replace(keys=np.array([7, 8])))):
        decoded = decode_residual(encode_residual(change))
        assert same(decoded.rows.arrays, change.rows.arrays)
        assert (decoded.undo is None) == (change.undo is None)
        if decoded.undo is not None and change.undo is not None:
            np.testing.assert_array_equal(decoded.undo.keys, change.undo.keys)
    with pytest.raises(WireError, match="residual"):
        decode_residual(encode_residual(Change(rows))[:-3])
