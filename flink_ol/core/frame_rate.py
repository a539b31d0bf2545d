"""How soon after a weights frame the next one may go out, by the bytes that it takes.

Every trainer takes every frame. Where frames go out faster than all of them can, they queue behind
each other, and trainers learn ever further behind the model: so a frame has as long as its bytes
take at a rate. The sequencer holds no model and counts what changed since the frame before; a
whole frame takes no more than the changes since the last whole one, so at most twice the rate goes
out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from flink_ol.core.distinct import distinct
from flink_ol.core.frames import sizes
from flink_ol.core.rounded_frames import Codes
from flink_ol.core.state import ArraySpec, Delta

_EXACT: Codes = MappingProxyType({})


@dataclass(slots=True)
class Outgoing:
    """What the next frame will hold at least, and the time that the last one was given."""

    keys: list[np.ndarray] = field(default_factory=list)  # of features touched, a delta each
    rows: int = 0  # in all of them, a feature as often as it was touched
    rest_ms: int = 0


class FrameRate:
    """``bytes_per_s``: of frames to all trainers together; ``codes``: see core.rounded_frames."""

    def __init__(self, specs: Sequence[ArraySpec], bytes_per_s: int, codes: Codes = _EXACT) -> None:
        self._fixed, self._row = sizes(specs, codes)
        self._bytes_per_s = bytes_per_s

    def touch(self, outgoing: Outgoing, delta: Delta) -> None:
        """``delta`` will be in the next frame."""
        outgoing.keys.append(delta.keys.copy())  # not the message that they may be part of
        outgoing.rows += len(delta.keys)

    def sent(self, outgoing: Outgoing, trainers: int, least_ms: int) -> None:
        """The frame goes out to so many ``trainers``; the next one is a new one.

        Where it takes less than ``least_ms`` in any case its rows are not counted one by one.
        """
        rows = outgoing.rows
        if self._ms(rows, trainers) > least_ms and len(outgoing.keys) > 1:
            rows = len(distinct(np.concatenate(outgoing.keys))[0])
        outgoing.rest_ms = self._ms(rows, trainers)
        outgoing.keys, outgoing.rows = [], 0

    def _ms(self, rows: int, trainers: int) -> int:
        size = (self._fixed + self._row * rows) * max(trainers, 1)
        return -(-1000 * size // self._bytes_per_s)
