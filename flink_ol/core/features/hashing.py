"""Feature keys: what a feature's name becomes, the same in every process and language."""

from __future__ import annotations

import xxhash


def feature_key(name: str, hash_bits: int | None = None) -> int:
    """xxh64 of the name's UTF-8 bytes, seed 0, as signed int64; or modulo 2^hash_bits."""
    key = xxhash.xxh64_intdigest(name.encode())
    if hash_bits is not None:
        return key & ((1 << hash_bits) - 1)
    return key - (1 << 64) if key >= 1 << 63 else key
