"""Seeded streams that every run and every contestant gets byte by byte the same."""

from __future__ import annotations

import numpy as np


def dense_json(count: int, seed: int = 1) -> list[bytes]:
    """``count`` binary samples of 8 numbers with a rule that drifts, about 130 bytes each."""
    rng = np.random.default_rng(seed)
    records: list[bytes] = []
    for start in range(0, count, 100_000):
        size = min(100_000, count - start)
        x = rng.normal(size=(size, 8)).round(4)
        angle = (start + np.arange(size)) / 1_000_000
        rule = np.stack([np.cos(angle + j) for j in range(8)], axis=1)
        labels = ((x * rule).sum(axis=1) + rng.normal(size=size) > 0).astype(int).tolist()
        records += [
            (
                f'{{"x":{{"a":{a},"b":{b},"c":{c},"d":{d},"e":{e},"f":{f},"g":{g},"h":{h}}},'
                f'"y":{y}}}'
            ).encode()
            for (a, b, c, d, e, f, g, h), y in zip(x.tolist(), labels, strict=True)
        ]
    return records
