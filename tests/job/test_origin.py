"""What lies beside checkpoints, and what it refuses before a job starts from them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flink_ol.job import origin
from flink_ol.job.spec import Spec

SPEC = Spec.parse("{name: a, samples: {partitions: 2}, training: {workers: 2}}")


def test_what_is_written_beside_a_job_is_found_from_its_checkpoints(tmp_path: Path) -> None:
    assert origin.read(tmp_path / "chk-3") is None
    origin.write(tmp_path, origin.origin_of(SPEC))
    assert origin.read(tmp_path / "chk-3") == origin.origin_of(SPEC)
    assert origin.read(tmp_path) == origin.origin_of(SPEC)


@pytest.mark.parametrize(
    "allowed",
    [
        "training: {workers: 3}",
        "samples: {partitions: 2, format: libsvm}",
        "samples: {partitions: 2, fields: {label: target}}",
        "optimizer: {name: sgd, learning_rate: 1.5}",
    ],
)
def test_allowed_changes_are_told(allowed: str) -> None:
    fields = "name: a\n" + "\n".join(
        line
        for line in ("samples: {partitions: 2}", "training: {workers: 2}", allowed)
        if line is allowed or line.split(":")[0] != allowed.split(":")[0]
    )
    told, refused = origin.compared(origin.origin_of(SPEC), Spec.parse(fields))
    assert (len(told), refused) == (1, [])


def test_intervals_and_topics_settings_are_no_changes_of_state() -> None:
    other = Spec.parse(
        "{name: a, samples: {partitions: 2}, checkpoints: {interval_ms: 900}, "
        "kafka: {partitions: 9}, snapshots: {keep: 3}, metrics: {window: 5}}"
    )
    assert origin.compared(origin.origin_of(SPEC), other) == ([], [])


def test_refused_changes_name_both_values_and_the_reason() -> None:
    other = Spec.parse("{name: b, samples: {partitions: 3}, task: regression}")
    _, refused = origin.compared(origin.origin_of(SPEC), other)
    assert "samples.partitions: 2 -> 3: keys and state are laid out by it" in refused
    assert "name: a -> b: topics and state belong to the name" in refused
    assert "task: binary -> regression: the model's scores mean something else" in refused


WAITS = "{name: a, samples: {partitions: 2%s}, training: {mode: %s}}"


@pytest.mark.parametrize("mode", ["sync", "bounded"])
@pytest.mark.parametrize("changed", [", format: libsvm", ", fields: {label: target}"])
def test_how_samples_are_read_stays_where_some_wait_as_they_came(mode: str, changed: str) -> None:
    before = Spec.parse(WAITS % ("", mode))
    told, refused = origin.compared(origin.origin_of(before), Spec.parse(WAITS % (changed, mode)))
    assert (len(told), len(refused)) == (0, 1)
    assert f"samples that wait in mode {mode} are kept as they came" in refused[0]


@pytest.mark.parametrize(("one", "other"), [("null", "2"), ("2", "null"), ("2", "3")])
def test_the_passes_of_a_job_that_goes_on_stay(one: str, other: str) -> None:
    before, after = (Spec.parse(WAITS % ("", f"sync, passes: {n}")) for n in (one, other))
    _, refused = origin.compared(origin.origin_of(before), after)
    assert [text.partition(": what")[0] for text in refused] == [
        f"training.passes: {one} -> {other}"
    ]


def test_a_file_of_before_these_were_told_is_read_and_they_are_not_compared(
    tmp_path: Path,
) -> None:
    origin.write(tmp_path, origin.origin_of(SPEC))
    fields = json.loads((tmp_path / origin.FILE).read_text())
    del fields["samples"]["fields"], fields["training"]["passes"]
    (tmp_path / origin.FILE).write_text(json.dumps(fields))
    before = origin.read(tmp_path)
    assert before is not None
    assert origin.compared(before, SPEC) == ([], [])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"format": 3}', "has format 3, this version of flink_ol knows 2"),
        ('{"format": 1}', "begin a new job with model.start_from"),
        ("nonsense", "is damaged"),
        ('{"format": 2, "name": "a"}', "is damaged"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_words(
    tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / origin.FILE).write_text(text)
    with pytest.raises(origin.OriginError, match=said):
        origin.read(tmp_path)


def test_a_setting_of_a_later_version_is_named(tmp_path: Path) -> None:
    origin.write(tmp_path, origin.origin_of(SPEC))
    fields = json.loads((tmp_path / origin.FILE).read_text())
    fields["learning"]["features"]["novel"] = 1
    (tmp_path / origin.FILE).write_text(json.dumps(fields))
    with pytest.raises(origin.OriginError, match="a setting that this version does not know"):
        origin.read(tmp_path)


def test_every_job_has_a_folder_of_its_own() -> None:
    assert origin.own_folder("s3://bucket/ck/", "a") == "s3://bucket/ck/a"
    assert origin.own_folder("/var/ck", "a") == "file:///var/ck/a"
    assert origin.local_path("s3://bucket/ck") is None
    assert origin.local_path("file:/var/a%20b") == Path("/var/a b")
