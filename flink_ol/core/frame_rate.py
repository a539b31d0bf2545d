"""How soon after a weights frame the next one may go out, by the bytes that it takes.

Every trainer takes every frame. Where frames go out faster than all of them can, they queue behind
each other, and trainers learn ever further behind the model: so a frame has as long as its bytes
take at a rate. The sequencer holds no model and counts what changed since the frame before; a
whole frame takes no more than the changes since the last whole one, so at most twice the rate goes
out.

How fast trainers are is not known, and one that reads a backlog takes a frame between two batches.
So while updates come of a frame that was old news a second ago, the next one waits: else frames
would queue before the trainer without end, and with them the updates that it keeps until it sees
them in a frame.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from flink_ol.core.distinct import distinct
from flink_ol.core.frames import sizes
from flink_ol.core.messages import Update, Version
from flink_ol.core.rounded_frames import Codes
from flink_ol.core.state import ArraySpec

_EXACT: Codes = MappingProxyType({})
# An update may be of an older frame than the last: of one that others followed within so long, or
# so many others within less.
_LATE_MS, _MANY, _MANY_MS = 1_000, 16, 250
_PATIENCE_MS = 5_000  # a trainer that is behind and says nothing more holds frames up so long


@dataclass(slots=True)
class Outgoing:
    """What the next frame will hold at least, and the time that the last one was given."""

    keys: list[np.ndarray] = field(default_factory=list)  # of features touched, a delta each
    rows: int = 0  # in all of them, a feature as often as it was touched
    rest_ms: int = 0
    late: Version | None = None  # the newest frame that every trainer should have
    recent: deque[tuple[int, Version]] = field(default_factory=deque)  # those sent since, when
    behind: set[int] = field(default_factory=set)  # workers whose last update had not seen late

    @property
    def wait_ms(self) -> int:
        """How long after the last frame the next one may go out."""
        return max(self.rest_ms, _PATIENCE_MS if self.behind else 0)


class FrameRate:
    """``bytes_per_s``: of frames to all trainers together; ``codes``: see core.rounded_frames."""

    def __init__(self, specs: Sequence[ArraySpec], bytes_per_s: int, codes: Codes = _EXACT) -> None:
        self._fixed, self._row = sizes(specs, codes)
        self._bytes_per_s = bytes_per_s

    def touch(self, outgoing: Outgoing, update: Update, now_ms: int) -> None:
        """``update`` will be in the next frame."""
        keys = update.delta.keys
        outgoing.keys.append(keys.copy())  # not the message that they may be part of
        outgoing.rows += len(keys)
        recent = outgoing.recent
        while recent and now_ms - recent[0][0] >= (_MANY_MS if len(recent) > _MANY else _LATE_MS):
            outgoing.late = recent.popleft()[1]
        if outgoing.late is not None and update.base < outgoing.late:
            outgoing.behind.add(update.worker.index)
        else:
            outgoing.behind.discard(update.worker.index)

    def sent(
        self, outgoing: Outgoing, trainers: int, least_ms: int, version: Version, now_ms: int
    ) -> None:
        """The frame of ``version`` goes out to so many ``trainers``; the next one is a new one.

        Where it takes less than ``least_ms`` in any case its rows are not counted one by one.
        """
        rows = outgoing.rows
        if self._ms(rows, trainers) > least_ms and len(outgoing.keys) > 1:
            rows = len(distinct(np.concatenate(outgoing.keys))[0])
        outgoing.rest_ms = self._ms(rows, trainers)
        outgoing.recent.append((now_ms, version))
        outgoing.keys, outgoing.rows = [], 0

    def _ms(self, rows: int, trainers: int) -> int:
        size = (self._fixed + self._row * rows) * max(trainers, 1)
        return -(-1000 * size // self._bytes_per_s)
