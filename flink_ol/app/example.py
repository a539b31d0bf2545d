"""The example of the repository, the year of flights, as the demo uses it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, NamedTuple

from flink_ol.app.errors import UsageError

_JOBS = Path(__file__).parents[2] / "jobs"


class Example(NamedTuple):
    """A specification and its samples."""

    spec: Path
    samples: list[bytes]
    left_out: str  # what is not among the samples, in words


def spec_path() -> Path:
    """The example's specification; UsageError where flink_ol was installed without examples."""
    path = _JOBS / "flights.yaml"
    if not path.is_file():
        raise UsageError(
            f"{path} is not there: the examples are in the folder jobs/ of the repository; "
            "run the demo from a clone of it (`make demo`)"
        )
    return path


def load() -> Example:
    """Read the year; takes some seconds."""
    spec = spec_path()
    found = importlib.util.spec_from_file_location("flights", spec.with_suffix(".py"))
    assert found is not None
    assert found.loader is not None
    module: Any = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    flights = module.read()
    return Example(
        spec,
        flights.samples,
        f"{flights.cancelled:,} cancelled and {flights.diverted:,} diverted flights are left out",
    )
