"""Crosses and words are the same features whatever the format, in samples and in requests."""

from __future__ import annotations

import numpy as np
import pytest

from flink_ol.core.config import Features, Learning, TextField
from flink_ol.core.features.crossing import MOST_COMBINATIONS
from flink_ol.core.features.hashing import feature_key
from flink_ol.wire.csv_samples import CsvFields
from flink_ol.wire.formats import sample_format
from flink_ol.wire.json_samples import JsonFields
from flink_ol.wire.vw_samples import VwFields

_FEATURES = {"text": (TextField(field="t", words=2),), "crosses": ("kind*size", "t*kind")}
_NAMES = [
    *("size", "kind=a", "t~so", "t~good", "t~so good", "kind=a*size"),
    *("t~so*kind=a", "t~good*kind=a", "t~so good*kind=a"),
]


@pytest.mark.parametrize("bits", [None, 12])
@pytest.mark.parametrize(
    ("name", "fields", "record"),
    [
        ("json", JsonFields(), b'{"x": {"size": 2.5, "kind": "a", "t": "So good"}, "y": 1}'),
        ("csv", CsvFields(columns=("size", "kind", "t", "y"), time="when"), b"2.5,a,So good,1"),
    ],
)
def test_formats_are_expanded_alike(name: str, fields: object, record: bytes, bits: int) -> None:
    learning = Learning(task="binary", features=Features(hash_bits=bits, **_FEATURES))  # type: ignore[arg-type]
    decoder = sample_format(name, fields, learning)
    samples, rejections = decoder.decode([record] * 2, np.array([7, 8]))
    assert not rejections
    expected = [feature_key(name, bits) for name in _NAMES]
    assert sorted(samples.keys[: len(expected)].tolist()) == sorted(expected)
    assert [samples.names[key] for key in expected] == _NAMES
    assert dict(zip(samples.keys.tolist(), samples.values.tolist(), strict=True)) == {
        key: 2.5 if "size" in name else 1.0 for key, name in zip(expected, _NAMES, strict=True)
    }
    request = decoder.decode_request(record, 0, 3)
    assert request.row.keys.tolist() == samples.keys[: len(expected)].tolist()


def test_namespaces_are_crossed_as_vowpal_wabbit_does() -> None:
    learning = Learning(task="binary", features=Features(crosses=("u^*v^",)))
    samples, _ = sample_format("vw", VwFields(), learning).decode(
        [b"1 |u a b:2 |v c:3 |w d"], np.array([0])
    )
    found = {
        samples.names[key]: value
        for key, value in zip(samples.keys.tolist(), samples.values.tolist(), strict=True)
    }
    assert {name: value for name, value in found.items() if "*" in name} == {
        "u^a*v^c": 3.0,
        "u^b*v^c": 6.0,
    }


def test_what_cannot_be_expanded_is_set_aside_with_its_reason() -> None:
    learning = Learning(
        task="binary",
        features=Features(text=(TextField(field="s"), TextField(field="t")), crosses=("s*t",)),
    )
    decoder = sample_format("json", JsonFields(), learning)
    words = " ".join(f"w{i}" for i in range(int(MOST_COMBINATIONS**0.5) + 1))
    bad = f'{{"x": {{"s": "{words}", "t": "{words}"}}, "y": 1}}'.encode()
    good = b'{"x": {"s": "a", "t": "b"}, "y": 1}'
    samples, rejections = decoder.decode([b"{", bad, good], np.array([4, 5, 6]))
    assert samples.offsets.tolist() == [6]
    assert [rejection.offset for rejection in rejections] == [4, 5]
    assert "features.crosses" in rejections[1].reason
    request = decoder.decode_request(bad, 0, 0)
    assert request.row is None
    assert "features.crosses" in (request.error or "")
