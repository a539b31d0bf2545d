"""Feature keys are the same everywhere."""

from __future__ import annotations

import pytest

from flink_ol.core.features.hashing import feature_key


def test_keys_are_xxh64_of_the_name_as_signed_numbers() -> None:
    # reference values of xxHash: the empty string and "abc", seed 0
    assert feature_key("") == 0xEF46DB3751D8E999 - (1 << 64)
    assert feature_key("abc") == 0x44BC2CF5AD770999


@pytest.mark.parametrize("bits", [1, 8, 30])
def test_hash_bits_take_the_low_bits(bits: int) -> None:
    assert feature_key("abc", bits) == 0x44BC2CF5AD770999 % (1 << bits)
