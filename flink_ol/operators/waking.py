"""Timers that no checkpoint loses.

A timer that has fired and is being set anew on the Python side is in none of Flink's hands: a
checkpoint at that moment misses it (seen with PyFlink 2.2.1), and a job restored from it waits for
ever if nothing else comes. So beside every timer stand two spare ones on a coarse grid: while one
of them is being set anew, the other was handed over long before.
"""

from __future__ import annotations

from typing import Any

_SPARE_MS = 5_000  # far longer than a timer takes to be set anew, even where machines are slow


class Waking:
    """Sets the timers of one operator's subtask."""

    def __init__(self) -> None:
        self._spares: dict[str, int] = {}  # by key, the number of the last spare timer set

    def at(self, ctx: Any, at_ms: int, now_ms: int) -> None:
        """Call ``on_timer`` for the current key at ``at_ms``, and now and then after that.

        What is called too often finds nothing to do and sets no timer.
        """
        register = ctx.timer_service().register_processing_time_timer
        register(at_ms)
        key, turn = str(ctx.get_current_key()), now_ms // _SPARE_MS
        for number in range(max(self._spares.get(key, 0), turn) + 1, turn + 3):
            register(number * _SPARE_MS)
        self._spares[key] = turn + 2
