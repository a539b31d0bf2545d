"""Words and characters of texts, counted once more by hand."""

from __future__ import annotations

from itertools import combinations

import pytest

from flink_ol.core.config import ConfigError, Features
from flink_ol.core.features.text import TextField, Texts, counted
from tests.core.test_crossing import Row, rows_of, samples_of


@pytest.mark.parametrize(
    ("text", "settings", "expected"),
    [
        ("Good, very good!", {}, {"good": 2, "very": 1}),
        ("Good good", {"lowercase": False}, {"Good": 1, "good": 1}),
        ("it's  O'Neil’s", {}, {"it's": 1, "o'neil’s": 1}),
        ("a b a b", {"words": 2}, {"a": 2, "b": 2, "a b": 2, "b a": 1}),
        ("a b c", {"words": 3}, {"a": 1, "b": 1, "c": 1, "a b": 1, "b c": 1, "a b c": 1}),
        ("a b c", {"words": 2, "skips": 1}, {"a": 1, "b": 1, "c": 1, "a b": 1, "b c": 1, "a c": 1}),
        ("aab  c", {"words": 0, "characters": 2}, {"~aa": 1, "~ab": 1, "~b ": 1, "~ c": 1}),
        ("Ähm über", {}, {"ähm": 1, "über": 1}),
        ("...", {}, {}),
        ("", {"characters": 3}, {}),
    ],
)
def test_features_of_a_text(text: str, settings: dict, expected: dict[str, int]) -> None:
    assert dict(counted(text, TextField(field="t", **settings))) == expected


@pytest.mark.parametrize("skips", [0, 1, 3])
@pytest.mark.parametrize("length", [2, 3])
def test_skips_are_all_choices_that_leave_out_so_many(length: int, skips: int) -> None:
    words = [f"w{i}" for i in range(9)]
    expected = {
        " ".join(words[i] for i in chosen)
        for chosen in combinations(range(9), length)
        if chosen[-1] - chosen[0] + 1 - length <= skips
    }
    found = counted(" ".join(words), TextField(field="t", words=length, skips=skips))
    assert {name for name in found if name.count(" ") == length - 1} == expected


def test_words_take_the_place_of_the_text_and_nothing_else_changes() -> None:
    rows: list[Row] = [
        [("size", 2.0, True), ("t=good good film", 1.0, False), ("kind=a b", 1.0, False)],
        [("kind=t", 1.0, False)],
        [("t=film", 1.0, False), ("t=film", 1.0, False), ("u=an end", 1.0, False)],
    ]
    texts = Texts([TextField(field="t"), TextField(field="u", words=2)])
    for _ in range(2):
        assert list(map(sorted, rows_of(texts(samples_of(rows))))) == [
            [
                ("kind=a b", 1.0, False),
                ("size", 2.0, True),
                ("t~film", 1.0, False),
                ("t~good", 2.0, False),
            ],
            [("kind=t", 1.0, False)],
            [
                ("t~film", 1.0, False),
                ("t~film", 1.0, False),
                ("u~an", 1.0, False),
                ("u~an end", 1.0, False),
                ("u~end", 1.0, False),
            ],
        ]


def test_samples_without_texts_stay_as_they_are() -> None:
    samples = samples_of([[("size", 2.0, True)], []])
    assert Texts([TextField(field="t")])(samples) is samples


def test_a_text_with_no_word_leaves_nothing() -> None:
    found = Texts([TextField(field="t")])(samples_of([[("t=?!", 1.0, False)]]))
    assert rows_of(found) == [[]]


def test_settings_that_leave_nothing_are_refused() -> None:
    with pytest.raises(ConfigError, match="nothing would be left"):
        TextField(field="t", words=0)
    with pytest.raises(ConfigError, match="every field once"):
        Features(text=(TextField(field="t"), TextField(field="t")))
