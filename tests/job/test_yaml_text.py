"""YAML with variables: filled in, typed, and named where they are not set."""

from __future__ import annotations

import pytest

from flink_ol.job.problems import SpecError
from flink_ol.job.yaml_text import read_yaml


def test_variables_are_filled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVER", "10.0.0.1")
    monkeypatch.setenv("WORKERS", "3")
    monkeypatch.setenv("EMPTY", "")
    text = """
    address: ${SERVER}:${PORT_NOT_SET:-9092}
    workers: ${WORKERS}
    names: ["${SERVER}", plain, "${EMPTY}x"]
    price: $5 {a}
    """
    fields, problems = read_yaml(text, "job.yaml")
    assert problems == []
    assert fields == {
        "address": "10.0.0.1:9092",
        "workers": 3,
        "names": ["10.0.0.1", "plain", "x"],
        "price": "$5 {a}",
    }


def test_a_secret_stays_a_text_and_is_not_read_as_yaml(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "0123: [x")
    fields, _ = read_yaml("kafka: {properties: {p: '${SECRET}', q: '${NUMBER:-007}'}}", "")
    assert fields == {"kafka": {"properties": {"p": "0123: [x", "q": "007"}}}


def test_a_variable_is_not_filled_in_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTER", "${INNER_NOT_SET}")
    assert read_yaml("a: x${OUTER}", "")[0] == {"a": "x${INNER_NOT_SET}"}


def test_every_variable_that_is_not_set_is_named_with_its_key() -> None:
    _, problems = read_yaml("a: {b: '${NOT_SET_1}'}\nc: [1, 'x${NOT_SET_2}']", "")
    assert [problem.key for problem in problems] == ["a.b", "c[1]"]
    assert "NOT_SET_1 is not set; set it, or write ${NOT_SET_1:-default}" in problems[0].text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [1,\nb: 2", "is not YAML in line 2"),
        ("a: 1\nb: 2\na: 3", "in line 3, column 1: a is given in line 1 already"),
        ("- a", "is no mapping of keys to values"),
        ("", "is no mapping of keys to values"),
        ("a: \x01", "is not YAML"),
        ("a: !!python/object:os.system {}", "is not YAML in line 1"),
        ("{a: {b: 1}, ? [x] : 2}", "is not YAML in line 1"),
    ],
)
def test_what_is_no_specification_is_refused_with_its_line(text: str, words: str) -> None:
    with pytest.raises(SpecError, match=r"job\.yaml: ") as raised:
        read_yaml(text, "job.yaml")
    assert words in str(raised.value)
