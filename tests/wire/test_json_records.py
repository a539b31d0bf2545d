"""JSON read by compiled code is what the parser makes of it, whatever the bytes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flink_ol.core.features.pieces import distinct_pieces
from flink_ol.core.labels import Labels
from flink_ol.core.samples import Rejection, Samples
from flink_ol.wire.json_records import JsonRecords
from flink_ol.wire.json_samples import JsonFields, JsonSamples

LAW = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
LABELS = {
    "binary": Labels("binary", None),
    "names": Labels("multiclass", ("red", "grün", "1")),
    "numbers": Labels("multiclass", 5),
    "regression": Labels("regression", None),
    "counts": Labels("regression", None, 0.0),
}
FIELDS = {"nested": JsonFields(), "flat": JsonFields(features=None)}

NAMES = st.sampled_from(["a", "b", "c", "long name", "ß", "0", "1", "base64", "dtype", "", 'q"'])
NUMBERS = st.one_of(
    st.integers(-5, 5),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(-10, 10).map(lambda value: round(value, 4)),
)
SCALARS = st.one_of(
    NUMBERS, st.sampled_from(["red", "grün", "x\\y", "tab\t", ""]), st.booleans(), st.none()
)
ODD: st.SearchStrategy[Any] = st.one_of(
    SCALARS, st.lists(SCALARS, max_size=2), st.just({}), st.just({"a": 1})
)
FEATURES = st.one_of(
    st.dictionaries(NAMES, st.one_of(SCALARS, SCALARS, SCALARS, ODD), max_size=5),
    st.lists(SCALARS, max_size=4),
    ODD,
)
LABEL = st.one_of(
    st.sampled_from([0, 1, -1, 1.0, True, False, "red", "grün", "1", 4, 5, None, 0.25]), NUMBERS
)


@st.composite
def records(draw: st.DrawFn) -> bytes:
    record: dict[str, Any] = {"x": draw(FEATURES), "y": draw(LABEL)}
    for name, values in (("w", NUMBERS), ("id", ODD), ("t", ODD), ("z", ODD)):
        if draw(st.booleans()):
            record[name] = draw(values)
    for name in ("x", "y"):
        if draw(st.integers(0, 20)) == 0:
            del record[name]
    if draw(st.booleans()) and isinstance(record.get("x"), dict):  # flat
        record = {**record.pop("x"), **record}
    items = draw(st.permutations(list(record.items())))
    text = json.dumps(
        dict(items),
        ensure_ascii=draw(st.booleans()),
        separators=draw(st.sampled_from([(",", ":"), (", ", ": "), (" , ", "\n:\t")])),
    )
    if draw(st.integers(0, 5)) == 0:  # the first name once more
        first = text.find('"')
        text = text[:1] + text[first : text.find(":")] + ": 1, " + text[1:]
    return draw(changed(text.encode()))


def changed(data: bytes) -> st.SearchStrategy[bytes]:
    """As it is, mostly; or with a byte put in, taken out or replaced."""

    def change(at: int, byte: int, kind: int) -> bytes:
        at %= len(data) + 1
        rest = data[at:] if kind == 0 else data[at + 1 :]
        return data[:at] + (b"" if kind == 1 else bytes([byte])) + rest

    odd = st.one_of(st.sampled_from(list(b'{}[]",:-.0e\\ \ntfn')), st.integers(0, 255))
    return st.one_of(
        st.just(data),
        st.just(data),
        st.builds(change, st.integers(0, 200), odd, st.integers(0, 2)),
    )


def named(samples: Samples) -> list[tuple[Any, ...]]:
    """Every row with the names and bits of its values; the parser may put them in another order."""
    rows = []
    for i in range(len(samples)):
        row = samples.rows(i, i + 1)
        names = [samples.names[key] for key in row.keys.tolist()]
        bits = [(value + 0.0).hex() for value in row.values.tolist()]  # -0 is 0
        values = sorted(zip(names, bits, row.numeric.tolist(), strict=True))
        rows.append((values, row.labels.tolist(), row.importance.tolist(), row.offsets.tolist()))
    return rows


def both(
    payloads: Sequence[bytes | None], labels: Labels, fields: JsonFields
) -> list[tuple[Samples, list[Rejection]]]:
    """As the job decodes, and by the parser alone."""
    offsets = np.arange(len(payloads), dtype=np.int64) * 3 + 7
    return [
        JsonSamples(labels, fields).decode(payloads, offsets),
        JsonSamples(labels, fields)._parsed(payloads, offsets),
    ]


def agree(payloads: Sequence[bytes | None], labels: Labels, fields: JsonFields) -> None:
    (samples, rejections), (expected, others) = both(payloads, labels, fields)
    assert rejections == others
    assert named(samples) == named(expected)


@pytest.mark.parametrize("fields", list(FIELDS))
@pytest.mark.parametrize("labels", list(LABELS))
@LAW
@given(payloads=st.lists(records(), min_size=1, max_size=6))
def test_compiled_code_reads_what_the_parser_reads(
    labels: str, fields: str, payloads: list[bytes]
) -> None:
    agree(payloads, LABELS[labels], FIELDS[fields])


ODDITIES = [
    None,
    b"",
    b"{}",
    b"[]",
    b"nonsense",
    b'{"x":{"a":1},"y":1}{',
    b'{"x":{"a":1},"y":1},',
    b'{"x":{"a":1},"y":1,}',
    b'{"x":{"a":1,},"y":1}',
    b'{,"x":{"a":1},"y":1}',
    b'{"x":{},"y":1}',
    b'{"x":[],"y":1}',
    b'{"x":[1,],"y":1}',
    b'{"x":[1 2],"y":1}',
    b'{"x":{"a":1]},"y":1}',
    b'{"x":[1},"y":1}',
    b'{"x":{"a":01},"y":1}',
    b'{"x":{"a":1.e5},"y":1}',
    b'{"x":{"a":1.},"y":1}',
    b'{"x":{"a":.5},"y":1}',
    b'{"x":{"a":+1},"y":1}',
    b'{"x":{"a":-},"y":1}',
    b'{"x":{"a":1e400},"y":1}',
    b'{"x":{"a":1e-400},"y":1}',
    b'{"x":{"a":123456789012345678901234567890},"y":1}',
    b'{"x":{"a":0.1234567890123456789},"y":1}',
    b'{"x":{"a":NaN},"y":1}',
    b'{"x":{"a":tru},"y":1}',
    b'{"x":{"a":truely},"y":1}',
    b'{"x":{"a":"\x01"},"y":1}',
    b'{"x":{"a":"\xff"},"y":1}',
    b'{"x":{"a":1},"y":1}\xc3',
    b'\xa4{"x":{"a":1},"y":1}',
    b'{"x":{"\\u0061":1,"a":2},"y":1}',
    b'{"x":{"a":"b\\"},"y":1}',
    b'{"x":{"a":1},"x":{"b":2},"y":1}',
    b'{"x":{"a":1},"y":1,"y":0}',
    b'{"x":{"a":1},"y":1,"w":2,"w":3}',
    b'{"x":{"a":1},"y":1,"w":0}',
    b'{"x":{"a":1},"y":1,"w":true}',
    b'{"x":{"base64":"AAAA","dtype":"uint8","shape":[3]},"y":1}',
    b'{"x":{"base64":1,"dtype":2,"shape":3},"y":1}',
    b'\xef\xbb\xbf{"x":{"a":1},"y":1}',
    b' \t\r\n{ "x" : { "a" : 1 } , "y" : 1 } \n',
    b'{"x":{"a":' + b"[" * 2000 + b"]" * 2000 + b'},"y":1}',
    b'{"x":[' + b",".join(b"%d" % i for i in range(5000)) + b'],"y":1}',
    b'{"x":{' + b",".join(b'"%d":%d' % (i, i) for i in range(5000)) + b'},"y":1}',
    b'{"x":{"a":1},"y":1' + b" " * (1 << 20) + b"}",
]


@pytest.mark.parametrize("fields", list(FIELDS))
def test_oddities_spoil_no_other_record(fields: str) -> None:
    fine = b'{"x":{"a":1.5,"c":"red"},"y":1}' if fields == "nested" else b'{"a":1.5,"y":1}'
    for odd in ODDITIES:
        agree([fine, odd, fine], LABELS["binary"], FIELDS[fields])
    agree([fine, *ODDITIES, fine, *ODDITIES], LABELS["binary"], FIELDS[fields])


def test_ordinary_records_are_not_left_to_the_parser() -> None:
    payloads = [
        b'{"x": {"a": 12.658579999999999, "c": "gr\xc3\xbcn", "d": true, "e": null}, "y": 1}',
        b'{"id":"7","y":false,"x":{},"w":2.5,"t":"2026-01-01"}',
        b'{"y":-1,"x":[1,2.5,null,"red"]}',
    ]
    made = JsonSamples(LABELS["binary"], JsonFields())
    read = made._records.read(payloads, np.arange(3))
    assert read is not None
    assert not read.careful.any()


def test_more_names_than_the_table_has_places_for_are_all_told() -> None:
    payloads = [
        json.dumps({"x": {f"n{i}": i, f"c{i}": "v"}, "y": 1}).encode() for i in range(20_000)
    ]
    agree(payloads, LABELS["binary"], JsonFields())


def test_names_that_were_forgotten_are_told_again() -> None:
    made = JsonSamples(LABELS["binary"], JsonFields())
    payloads = [b'{"x":{"a":1,"c":"v"},"y":1}', b'{"x":{"b":1},"y":1}']
    first, _ = made.decode(payloads, np.arange(2))
    before = named(first)
    made._names.by_key = {}
    second, _ = made.decode(payloads, np.arange(2))
    assert named(second) == before


def test_a_field_of_two_parts_is_for_the_parser() -> None:
    fields = JsonFields(label="y", importance="y")
    assert (
        JsonRecords(LABELS["binary"], fields, JsonSamples(LABELS["binary"], fields)._names).read(
            [b'{"x":{"a":1},"y":1}'], np.arange(1)
        )
        is None
    )
    agree([b'{"x":{"a":1},"y":1}'], LABELS["binary"], fields)


@LAW
@given(st.lists(st.binary(max_size=3), max_size=600))
def test_distinct_pieces_are_told_by_their_bytes(pieces: list[bytes]) -> None:
    ends = np.cumsum([0, *map(len, pieces)])
    text = np.frombuffer(b"".join(pieces), np.uint8)
    firsts, kinds = distinct_pieces(text, np.column_stack((ends[:-1], ends[1:])))
    assert [pieces[firsts[kind]] for kind in kinds.tolist()] == pieces
    assert len({pieces[i] for i in firsts.tolist()}) == len(firsts) == len(set(pieces))
