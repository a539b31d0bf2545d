"""Counts come back from few bytes as they went, and damaged ones are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from flink_ol.core.config import Learning
from flink_ol.core.evaluation import Recent, class_sums
from flink_ol.core.evaluation.settings import Evaluation
from flink_ol.wire.model_file import decode_snapshot, encode_snapshot
from flink_ol.wire.packed_counts import pack_counts, unpack_counts
from flink_ol.wire.updates import decode_update, encode_update
from tests.wire.messages import same
from tests.wire.test_golden import SNAPSHOT, UPDATE

COUNTS = npst.arrays(
    np.int64,
    npst.array_shapes(min_dims=1, max_dims=3, max_side=30),
    elements=st.sampled_from([0, 0, 0, 1, 2, 255, 256, 65_536, 2**40, -1]),
    fill=st.just(0),
)
FLOATS = npst.arrays(np.float64, npst.array_shapes(max_dims=2, max_side=3))


@given(st.dictionaries(st.sampled_from("abc"), COUNTS | FLOATS, max_size=3))
def test_arrays_come_back_as_they_went(arrays: dict[str, np.ndarray]) -> None:
    shapes, packed = pack_counts(arrays)
    assert same(unpack_counts(shapes, packed), arrays)
    assert all(packed[name].nbytes <= arrays[name].nbytes for name in arrays)


def sums_of(samples: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    positive = 1.0 / (1.0 + np.exp(-rng.normal(-1.0, 1.5, samples)))
    labels = (rng.random(samples) < positive).astype(float)
    probabilities = np.stack([1.0 - positive, positive], axis=1)
    return class_sums(probabilities, labels, 1.0, np.zeros(2))


@pytest.mark.parametrize(
    ("samples", "most"), [(1, 1_024), (50, 1_280), (500, 2_048), (5_000, 2_048), (50_000, 3_072)]
)
def test_the_sums_of_a_binary_update_are_small(samples: int, most: int) -> None:
    update = UPDATE._replace(sums=sums_of(samples))
    encoded = encode_update(update)
    assert same(decode_update(encoded), update)
    assert len(encoded) - len(encode_update(update._replace(sums={}))) < most


def test_a_snapshot_keeps_sums_and_recent_sums() -> None:
    sums, recent = sums_of(500), Recent()
    for _ in range(30):
        recent.take(sums, Evaluation())
    snapshot = SNAPSHOT._replace(
        sums=sums, recent=recent.to_arrays(), learning=Learning(task="binary").to_json()
    )
    assert same(decode_snapshot(encode_snapshot(snapshot, {})), snapshot)


@pytest.mark.parametrize(
    ("shape", "packed"),
    [
        ([1 << 40], [[3], [1]]),
        ([-2, -2], [[3], [1]]),
        ([], [1]),
        ([0], [1]),
        ([3], [[3], [1]]),
        ([3], [[-1], [1]]),
        ([3], [1, 2]),
        ("33", [1, 2]),
        ([2], [[0], [1], [2]]),
    ],
)
def test_damaged_counts_are_refused(shape: Any, packed: list[Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        unpack_counts({"a": shape}, {"a": np.array(packed)})
