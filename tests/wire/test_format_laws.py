"""What holds for every sample format: the same however written, and a bad record harms no other."""

from __future__ import annotations

import contextlib
import gzip
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson
import pyarrow
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from flink_ol.core.config import Features, Learning
from flink_ol.core.features.hashing import feature_key
from flink_ol.core.learner import Learner
from flink_ol.core.loop import Loop
from flink_ol.core.losses.poisson import Poisson
from flink_ol.core.samples import Rejection, Samples
from flink_ol.wire.arrow_writing import encode_rows
from flink_ol.wire.compression import unpack
from flink_ol.wire.csv_samples import CsvFields
from flink_ol.wire.dead_letters import encode_dead_letter
from flink_ol.wire.formats import FORMATS, SampleFormat, sample_format

BINARY = Learning(task="binary")
NAMES = [str(i) for i in range(5)]

ROW = encode_rows([{"a": 1.0, "y": 1}])


class Case(NamedTuple):
    """How the laws are put to a format."""

    fields: Any
    damaged: Sequence[bytes]  # each becomes one rejection
    parts: frozenset[str]  # beside features and label
    texts: bool  # whether it has categories


CASES = {
    "json": Case(
        FORMATS["json"].fields(),
        [b'{"x":{"1":1}', b'{"x":{"1":1},"y":7}', b'{"x":{"1":[1]},"y":1}', b'{"y":1}'],
        frozenset({"importance", "id", "time"}),
        True,
    ),
    "csv": Case(
        CsvFields(columns=(*NAMES, "y", "w", "id", "t")),
        [
            b"1,2",
            b"1,1,1,1,1,7,,,",
            b"1,1,1,1,1,,,,",
            b"nan,1,1,1,1,1,,,",
            b"1e999,1,1,1,1,1,,,",
            b"1,1,1,1,1,1,0,,",
            b'"1,1,1,1,1,1,,,',
            b"1,1,1,1,1,1,,,\n1,1,1,1,1,1,,,",
            b'"1"1,1,1,1,1,1,,,',
        ],
        frozenset({"importance", "id", "time"}),
        True,
    ),
    "libsvm": Case(
        FORMATS["libsvm"].fields(),
        [
            b"1:1",
            b"7 1:1",
            b"1 1:x",
            b"1 x:1",
            b"1 1:",
            b"1 :1",
            b"1 1",
            b"1 1:nan",
            b"1 1:1e999",
            b"1 1:1:1",
            b"1 qid:3 1:1",
            b"1 1:1\n0 1:2",
            b"1 1:1 # a\n0 1:2",
            b"# only this",
        ],
        frozenset(),
        False,
    ),
    "vw": Case(
        FORMATS["vw"].fields(),
        [
            b"1 a:1",
            b"|a b",
            b"7 |a b",
            b"1 0 |a b",
            b"1 x |a b",
            b"1 1 1 |a b",
            b"1 |a b:",
            b"1 |a :1",
            b"1 |a b:inf",
            b"1 |a:x b",
            b"1 |a b:1:2",
            b"1 |a b:1e999",
            b"1 |a:1e308 b:10",
            b"1 |a b\n0 |a b",
            b"1|a b",
        ],
        frozenset({"importance", "id"}),
        True,
    ),
    # one row a message; of many rows: test_arrow_samples
    "arrow": Case(
        FORMATS["arrow"].fields(),
        [
            ROW[:-1],
            ROW[:-8],
            ROW[:100],
            ROW + ROW,
            b"\x00" + ROW,
            encode_rows([]),
            encode_rows([{"a": 1.0}]),
            encode_rows([{"a": 1.0, "y": 7}]),
            encode_rows([{"a": 1.0, "y": None}]),
            encode_rows([{"a": math.nan, "y": 1}]),
            encode_rows([{"a": 1.0, "y": 1, "w": 0.0}]),
            encode_rows([{"a": [["x"]], "y": 1}]),
            encode_rows([{"indices": [1], "values": [1.0, 2.0], "y": 1}]),
        ],
        frozenset({"importance", "id", "time"}),
        True,
    ),
}
ANY_DAMAGE = [b"", b" ", b"\xff\xfe", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"1" * (1 << 21)]
# the first example pays for compiled code
LAW = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
ALL = pytest.mark.parametrize("name", CASES)


def decoder(name: str, learning: Learning = BINARY) -> SampleFormat:
    return sample_format(name, CASES[name].fields, learning)


def decode(made: SampleFormat, payloads: Sequence[bytes | None]) -> tuple[Samples, list[Rejection]]:
    return made.decode(payloads, np.arange(len(payloads), dtype=np.int64) + 100)


def content(samples: Samples) -> list[tuple[Any, ...]]:
    """Each row as sorted (key, name, value, numeric), label, importance, offset."""
    rows = []
    for i in range(len(samples)):
        part = slice(samples.indptr[i], samples.indptr[i + 1])
        keys = samples.keys[part].tolist()
        names = [samples.names[key] for key in keys]
        numbers = samples.values[part].tolist(), samples.numeric[part].tolist()
        entries = sorted(zip(keys, names, *numbers, strict=True))
        label, importance = float(samples.labels[i]), float(samples.importance[i])
        rows.append((entries, label, importance, int(samples.offsets[i])))
    return rows


NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
ROWS = st.dictionaries(st.sampled_from(NAMES), NUMBERS | st.none(), min_size=1)
SAMPLES = st.lists(st.tuples(ROWS, st.sampled_from([0, 1, -1])), min_size=1, max_size=6)
TEXTS = st.sampled_from(["red", "blue", "gr\u00fcn", "x_1"])
RICH = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from(NAMES), NUMBERS | TEXTS | st.booleans(), min_size=1),
        st.sampled_from([0, 1]),
        st.floats(0.1, 10),
    ),
    min_size=1,
    max_size=6,
)


def test_every_format_is_put_to_the_laws() -> None:
    assert set(CASES) == set(FORMATS)


@ALL
@LAW
@given(SAMPLES)
def test_the_same_samples_in_another_format_are_the_same(
    name: str, rows: list[tuple[dict[str, Any], int]]
) -> None:
    written, plain = decoder(name), decoder("json")
    samples, rejected = decode(written, [written.encode(row, label) for row, label in rows])
    expected, _ = decode(plain, [plain.encode(row, label) for row, label in rows])
    assert rejected == []
    assert content(samples) == content(expected)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.texts])
@LAW
@given(RICH)
def test_categories_and_importance_are_the_same_in_every_format(
    name: str, rows: list[tuple[dict[str, Any], int, float]]
) -> None:
    written, plain = decoder(name), decoder("json")
    samples, rejected = decode(
        written, [written.encode(row, label, importance=w) for row, label, w in rows]
    )
    expected, _ = decode(plain, [plain.encode(row, y, importance=w) for row, y, w in rows])
    assert rejected == []
    assert content(samples) == content(expected)


@ALL
@pytest.mark.parametrize("bits", [None, 3])
def test_the_same_samples_in_another_format_give_the_same_model(
    name: str, bits: int | None
) -> None:
    learning = Learning(task="binary", features=Features(hash_bits=bits))
    rng = np.random.default_rng(7)
    rows = [
        (dict(zip(NAMES, x, strict=True)), int(x[0] > x[1]))
        for x in rng.normal(size=(200, 5)).tolist()
    ]
    models = []
    for one in (name, "json"):
        made = decoder(one, learning)
        loop = Loop(Learner(learning), "a", "", lambda: 0)
        loop.batch(0, *decode(made, [made.encode(row, label) for row, label in rows]))
        models.append(loop.snapshot().frame)
    np.testing.assert_array_equal(models[0].keys, models[1].keys)
    assert models[0].arrays.keys() == models[1].arrays.keys()
    for part, array in models[0].arrays.items():
        np.testing.assert_array_equal(array, models[1].arrays[part])


@ALL
@LAW
@given(data=st.data())
def test_a_damaged_record_is_one_rejection_and_harms_no_other(
    name: str, data: st.DataObject
) -> None:
    made = decoder(name)
    good = SAMPLES.map(lambda rows: made.encode(*rows[0]))
    bad = st.sampled_from([*CASES[name].damaged, *ANY_DAMAGE])
    records = data.draw(st.lists(good.map(lambda r: (r, True)) | bad.map(lambda r: (r, False))))
    samples, rejections = decode(made, [record for record, _ in records])
    expected = [100 + i for i, (_, whole) in enumerate(records) if not whole]
    assert [rejection.offset for rejection in rejections] == expected
    kept = [i for i, (_, whole) in enumerate(records) if whole]
    clean, _ = decoder(name).decode([records[i][0] for i in kept], np.array(kept, np.int64) + 100)
    assert content(samples) == content(clean)


@pytest.mark.parametrize(
    ("name", "record"),
    [(name, record) for name in CASES for record in (*CASES[name].damaged, *ANY_DAMAGE, None)],
)
def test_damage_has_a_reason_of_bounded_length(name: str, record: bytes | None) -> None:
    samples, ((offset, reason, _),) = decode(decoder(name), [record])
    assert (len(samples), offset) == (0, 100)
    assert 10 < len(reason) < 500
    assert len(encode_dead_letter("a.samples", 0, offset, reason, record)) < 100_000


LONG = b"x" * 300_000


@pytest.mark.parametrize(
    ("name", "record"),
    [
        ("libsvm", LONG + b" 1:1"),
        ("libsvm", b"1 1:" + LONG),
        ("libsvm", b"1 " + LONG + b":1"),
        ("vw", LONG + b" |a b"),
        ("vw", b"1 " + LONG + b" |a b"),
        ("vw", b"1 |" + LONG + b":y b"),
        ("vw", b"1 |a " + LONG + b":y"),
        ("vw", b"1 |a " + LONG + b":1e999"),
        ("csv", LONG),
        ("csv", LONG + b",1,1,1,1,7,,,"),
        ("csv", b"1,1,1,1,1," + LONG + b",,,"),
        ("csv", b"1,1,1,1,1,1," + LONG + b",,"),
        ("csv", b"9" * 400 + b",1,1,1,1,1,,,"),
    ],
)
def test_reasons_stay_short_whatever_the_record_holds(name: str, record: bytes) -> None:
    _, ((_, reason, _),) = decode(decoder(name), [record])
    assert len(reason) < 500


def mutated(records: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    def changed(record: bytes, at: int, byte: int, kind: int) -> bytes:
        at %= len(record) + 1
        middle = (b"", bytes([byte]), bytes([byte]) + record[at : at + 1])[kind]
        return record[:at] + middle + record[at + 1 :] if kind != 2 else record[:at] + middle

    marks = st.sampled_from(list(b" \t\r\n:|#,\"'^.+-e019{}[]\xff\x00\x1f")) | st.integers(0, 255)
    return st.builds(changed, records, st.integers(0, 10_000), marks, st.integers(0, 2))


@ALL
@LAW
@given(data=st.data())
def test_any_bytes_are_a_sample_or_a_rejection(name: str, data: st.DataObject) -> None:
    made = decoder(name)
    whole = SAMPLES.map(lambda rows: made.encode(*rows[0])) | st.sampled_from(CASES[name].damaged)
    anything = st.binary(max_size=60) | mutated(mutated(whole)) | mutated(whole) | st.none()
    payloads = data.draw(st.lists(anything, max_size=8))
    samples, rejections = decode(made, payloads)
    offsets = sorted([*samples.offsets.tolist(), *(r.offset for r in rejections)])
    assert offsets == [100 + i for i in range(len(payloads))]
    assert np.isfinite(samples.values).all()
    assert np.isfinite(samples.labels).all()
    # alone as in company, and a sample is a request as well
    alone: list[Any] = []
    for i, payload in enumerate(payloads):
        one, _ = decoder(name).decode([payload], np.array([100 + i]))
        alone += content(one)
        request = made.decode_request(payload, 0, i)
        assert (request.row is None) == (request.error is not None)
        if len(one):
            assert content(request.row)[0][0] == content(one)[0][0]
    assert content(samples) == alone


@ALL
@LAW
@given(SAMPLES)
def test_a_request_decodes_like_its_sample(
    name: str, rows: list[tuple[dict[str, Any], int]]
) -> None:
    made = decoder(name)
    for row, label in rows:
        (sample,) = content(decode(made, [made.encode(row, label)])[0])
        request = made.decode_request(made.encode(row) or b" ", 2, 9)
        if all(value is None for value in row.values()) and name == "libsvm":
            continue  # nothing at all is written
        assert (request.error, request.partition, request.offset) == (None, 2, 9)
        assert math.isnan(request.row.labels[0])
        assert content(request.row)[0][0] == sample[0]


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if "id" in case.parts])
def test_a_request_keeps_its_id(name: str) -> None:
    made = decoder(name)
    assert made.decode_request(made.encode({"1": 2}, id="q7"), 0, 1).id == "q7"


def zstd(data: bytes) -> bytes:
    packed: bytes = pyarrow.Codec("zstd").compress(data, asbytes=True)
    return packed


def zstd_stream(data: bytes) -> bytes:
    """As a compressor writes it that does not know the size beforehand."""
    sink = pyarrow.BufferOutputStream()
    with pyarrow.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    written: bytes = sink.getvalue().to_pybytes()
    return written


def two_members(data: bytes) -> bytes:
    return gzip.compress(data[:5]) + gzip.compress(data[5:])


PACKINGS = pytest.mark.parametrize("pack", [gzip.compress, two_members, zstd, zstd_stream])


@ALL
@PACKINGS
def test_compressed_equals_plain(name: str, pack: Callable[[bytes], bytes]) -> None:
    made = decoder(name)
    plain = [made.encode({"0": i, "1": 0.5}, i % 2) for i in range(20)]
    mixed = [pack(record) if i % 3 else record for i, record in enumerate(plain)]
    samples, rejected = decode(made, mixed)
    assert rejected == []
    assert content(samples) == content(decode(made, plain)[0])
    request = made.decode_request(pack(plain[1]), 0, 0)
    assert content(request.row)[0][0] == content(samples)[1][0]


@pytest.mark.parametrize("pack", [gzip.compress, zstd, zstd_stream])
def test_damaged_compression_is_refused_with_a_reason(pack: Callable[[bytes], bytes]) -> None:
    packed = pack(bytes(np.random.default_rng(3).integers(0, 256, 2000, np.uint8)))
    for cut in [*range(4, 40), *range(40, len(packed), 97)]:
        with pytest.raises(ValueError, match=r"cut off|damaged"):
            unpack(packed[:cut])
    with pytest.raises(ValueError, match=r"damaged|frame"):
        unpack(packed + b"more")


@PACKINGS
def test_a_bomb_is_refused(pack: Callable[[bytes], bytes]) -> None:
    bomb = pack(b"0" * (40 << 20))
    with pytest.raises(ValueError, match="more than 16777216 bytes"):
        unpack(bomb)
    assert unpack(pack(b"0" * 1000)) == b"0" * 1000


@LAW
@given(st.binary(max_size=100), st.sampled_from([b"\x1f\x8b", b"\x28\xb5\x2f\xfd"]))
@example(b"\x00\xff" + b"\x01\x00\x00", b"\x28\xb5\x2f\xfd")
def test_any_bytes_behind_a_magic_are_unpacked_or_refused(rest: bytes, magic: bytes) -> None:
    with contextlib.suppress(ValueError):
        unpack(magic + rest)


def test_a_window_too_large_is_refused_before_memory_is_taken() -> None:
    with pytest.raises(ValueError, match="more than 16777216"):
        unpack(b"\x28\xb5\x2f\xfd\x00\xf8\x01\x00\x00")


@LAW
@given(st.text(max_size=90))
def test_compiled_keys_are_those_of_names(name: str) -> None:
    from flink_ol.core.features.xxh64 import xxh64

    data = np.frombuffer(name.encode(), np.uint8).copy()
    assert int(np.uint64(xxh64(data, len(data))).astype(np.int64)) == feature_key(name)


@LAW
@given(st.lists(st.integers(0, 2**63 - 1) | st.integers(0, 200)))
def test_compiled_keys_of_numbers_are_those_of_their_names(numbers: list[int]) -> None:
    from flink_ol.core.features.xxh64 import number_keys

    expected = [feature_key(str(number)) for number in numbers]
    assert number_keys(np.array(numbers, np.int64)).tolist() == expected


def test_vw_names_carry_their_namespace_and_scales_multiply() -> None:
    payload = b"-1 2.5 'tag|a:0.5 x:3 y|b x |  z:1e-30 |c"
    made = decoder("vw")
    (row,) = content(decode(made, [payload])[0])
    assert sorted(entry[1:] for entry in row[0]) == [
        ("a^x", 1.5, True),
        ("a^y", 0.5, False),
        ("b^x", 1.0, False),
        ("z", 1e-30, True),
    ]
    assert row[1:3] == (0.0, 2.5)
    assert made.decode_request(payload, 0, 0).id == "tag"


def test_new_names_beyond_the_table_of_known_ones_are_told_too() -> None:
    made = decoder("vw")
    for start in (0, 5_000, 200_000):
        payload = b"1 |" + b"".join(b" n%d" % i for i in range(start, start + 50_000))
        samples, rejected = decode(made, [payload, b"1 |a b"])
        assert rejected == []
        told = {samples.names[key] for key in samples.keys.tolist()}
        assert told == {*(f"n{i}" for i in range(start, start + 50_000)), "a^b"}


def test_csv_texts_that_read_as_numbers_stay_texts_where_said() -> None:
    fields = CsvFields(columns=("zip", "n", "y"), categorical=("zip",))
    made = sample_format("csv", fields, BINARY)
    samples, rejected = decode(made, [b"01234, 2.5 ,1", b'"a ""b"", c",x,0', b",,1"])
    assert rejected == []
    found = [[entry[1:] for entry in row[0]] for row in content(samples)]
    assert sorted(found[0]) == [("n", 2.5, True), ("zip=01234", 1.0, False)]
    assert sorted(found[1]) == [("n=x", 1.0, False), ('zip=a "b", c', 1.0, False)]
    assert found[2] == []
    with pytest.raises(ValueError, match="categorical"):
        made.encode({"n": "12"})


def test_a_csv_request_may_leave_the_labels_column_out() -> None:
    made = sample_format("csv", CsvFields(columns=("a", "y", "b")), BINARY)
    short, long = (made.decode_request(payload, 0, 0) for payload in (b"1,2", b"1,,2"))
    assert content(short.row)[0][0] == content(long.row)[0][0]
    assert len(content(long.row)[0][0]) == 2


def test_labels_read_as_their_classes() -> None:
    learning = Learning(task="multiclass", classes=("1", "two", 3))
    payloads: Mapping[str, bytes] = {"libsvm": b"%s 1:1", "vw": b"%s |a b"}
    for name, payload in payloads.items():
        made = decoder(name, learning)
        samples, rejected = decode(made, [payload % word for word in (b"1", b"two", b"3", b"4")])
        assert samples.labels.tolist() == [0, 1, 2]
        assert len(rejected) == 1


def test_json_itself_is_what_the_laws_compare_with() -> None:
    assert orjson.loads(decoder("json").encode({"1": 2}, 1)) == {"x": {"1": 2}, "y": 1}


def test_a_target_that_the_loss_cannot_have_is_refused_in_every_format() -> None:
    learning = Learning(task="regression", loss=Poisson())
    for name, case in CASES.items():
        decoder = sample_format(name, case.fields, learning)
        records = [decoder.encode(dict.fromkeys(NAMES, 2.0), target) for target in (-1, 0)]
        samples, rejections = decoder.decode(records, np.array([7, 8]))
        assert samples.labels.tolist() == [0.0], name
        (rejection,) = rejections
        assert rejection.offset == 7, name
        assert "give at least 0" in rejection.reason, name
