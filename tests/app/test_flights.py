"""The example stream: every flight with an outcome once, in order, nothing of its future."""

from __future__ import annotations

import csv
import importlib.util
import io
import zipfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import orjson
import pytest

_SOURCE = Path(__file__).parents[2] / "jobs" / "flights.py"
_LATER = ("arr_time", "arr_delay", "air_time", "dep_time", "tailnum")


@pytest.fixture(scope="module")
def flights() -> ModuleType:
    spec = importlib.util.spec_from_file_location("flights", _SOURCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def year(flights: ModuleType) -> Any:
    return flights.read()


@pytest.fixture(scope="module")
def samples(year: Any) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in year.samples]


def test_every_flight_is_a_sample_or_counted_as_left_out(year: Any) -> None:
    assert len(year.samples) == 327_346
    assert (year.cancelled, year.diverted) == (8_255, 1_175)
    assert len(year.samples) + year.cancelled + year.diverted == 336_776


def test_no_flight_comes_twice(samples: list[dict[str, Any]]) -> None:
    assert len({sample["id"] for sample in samples}) == len(samples)


def test_flights_come_in_order_of_actual_departure(samples: list[dict[str, Any]]) -> None:
    times = [sample["t"] for sample in samples]
    assert times == sorted(times)
    # 2013-01-01 05:17 in New York: scheduled for 05:15, two minutes late at the gate
    assert datetime.fromisoformat("2013-01-01T05:17:00-05:00").timestamp() * 1000 == times[0]


def test_label_is_arrival_more_than_a_quarter_of_an_hour_late(
    flights: ModuleType, samples: list[dict[str, Any]]
) -> None:
    late = {sample["id"]: sample["y"] for sample in samples}
    counted: Counter[bool] = Counter()
    for row in _rows(flights):
        if row["arr_delay"] != "NA":
            day = f"{row['year']}-{int(row['month']):02}-{int(row['day']):02}"
            key = f"{day} {row['carrier']} {row['flight']} {row['origin']}"
            assert late[key] is (int(row["arr_delay"]) > 15)
            counted[late[key]] += 1
    assert counted == {True: 77_630, False: 249_716}


def test_features_are_what_is_known_at_the_gate(samples: list[dict[str, Any]]) -> None:
    always = {"carrier", "origin", "dest", "distance", "hour", "weekday", "dep_delay"}
    weather = {"temp", "humid", "wind_speed", "precip", "pressure", "visib"}
    seen = Counter(name for sample in samples for name in sample["x"])
    assert set(seen) == always | weather
    assert all(seen[name] == len(samples) for name in always)
    assert all(seen[name] > 0.85 * len(samples) for name in weather)


def test_what_happens_after_departure_changes_no_feature(flights: ModuleType) -> None:
    row = next(row for row in _rows(flights) if row["arr_delay"] != "NA")
    departure, sample = flights._sample(row, {})
    other = dict(row, arr_time="2359", arr_delay="400", air_time="999", tailnum="N0", dep_time="1")
    assert flights._sample(other, {}) == (departure, {**sample, "y": True})
    assert not set(_LATER) & set(sample["x"])


def test_weather_is_that_of_the_origin_in_the_hour_of_departure(
    flights: ModuleType, samples: list[dict[str, Any]]
) -> None:
    weather = flights._read_weather(flights._data_folder() / "weather.csv")
    late_at_the_gate = next(s for s in samples if s["x"]["dep_delay"] > 120 and "temp" in s["x"])
    hour = datetime.fromtimestamp(late_at_the_gate["t"] // 3_600_000 * 3600, UTC)
    expected = weather[late_at_the_gate["x"]["origin"], hour]
    assert expected.items() <= late_at_the_gate["x"].items()


def test_hour_and_weekday_are_those_of_the_table_for_flights_on_time(
    flights: ModuleType, samples: list[dict[str, Any]]
) -> None:
    by_id = {sample["id"]: sample["x"] for sample in samples}
    for row in _rows(flights):
        if row["arr_delay"] == "NA" or row["dep_delay"] != "0":
            continue
        day = f"{row['year']}-{int(row['month']):02}-{int(row['day']):02}"
        features = by_id[f"{day} {row['carrier']} {row['flight']} {row['origin']}"]
        assert features["hour"] == int(row["hour"])
        assert features["weekday"] == datetime.fromisoformat(day).strftime("%a")


def _rows(flights: ModuleType) -> list[dict[str, str]]:
    archive = zipfile.ZipFile(flights._data_folder() / "flights.csv.zip")
    with archive, archive.open("flights.csv") as raw:
        return list(csv.DictReader(io.TextIOWrapper(raw, "utf-8", newline="")))
