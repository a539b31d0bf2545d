"""Versions and workers as JSON: lists of two integers."""

from __future__ import annotations

from typing import Any

from flink_ol.core.messages import Version, Worker


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
