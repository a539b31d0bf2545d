"""Versions, workers, paces and names of features as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flink_ol.core.messages import PACE_AT_FIRST, Pace, Version, Worker


def version_of(fields: Any) -> Version:
    """``[epoch, number]``. Raises TypeError or ValueError."""
    return Version(*_two_integers(fields))


def worker_of(fields: Any) -> Worker:
    """``[index, incarnation]``. Raises TypeError or ValueError."""
    return Worker(*_two_integers(fields))


def _two_integers(fields: Any) -> tuple[int, int]:
    one, other = fields
    if type(one) is not int or type(other) is not int:
        raise TypeError(f"{fields!r} is not two integers")
    return one, other


def pace_to_json(pace: Pace) -> list[Any]:
    """``[round, passes, {partition: clock}]``."""
    return [pace.round, pace.passes, {str(p): clock for p, clock in pace.clocks.items()}]


def pace_of(fields: Any) -> Pace:
    """The inverse of :func:`pace_to_json`; None: the first. Raises TypeError or ValueError."""
    if fields is None:
        return PACE_AT_FIRST
    *numbers, clocks = fields
    return Pace(*_two_integers(numbers), {int(p): int(clock) for p, clock in clocks.items()})


def names_to_json(names: Mapping[int, tuple[str, ...]]) -> dict[str, list[str]]:
    """Several names of one feature key; :func:`names_of` is the inverse."""
    return {str(key): list(several) for key, several in names.items()}


def names_of(fields: Mapping[str, Any]) -> dict[int, tuple[str, ...]]:
    """Raises TypeError, ValueError, AttributeError."""
    return {int(key): tuple(map(str, several)) for key, several in fields.items()}
