"""The newest samples' evaluation: a fold over the log's updates, the same on every replica.

*Window.* Consecutive updates are gathered in blocks: a block is full once it holds a twentieth of
the window (rounded up), and the next update begins another. The oldest block leaves as soon as
the others hold the whole window without it. So the window is made of whole updates and holds, once
so many came, at least ``window`` samples and less than ``window`` plus its oldest block, which has
a twentieth more than its last update at most.

*Fading.* A sample weighs 2^(-m / half_life), m being the samples of all later updates; those of
one update weigh the same.

An update without samples changes neither. Slices have no recent evaluation.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce

import numpy as np

from flink_ol.core.evaluation.settings import Evaluation
from flink_ol.core.evaluation.sums import SLICE, Sums, add, fade, scored

BLOCKS = 20  # that a window is coarsened into

_FADED, _WINDOW = "faded", "window"


@dataclass(slots=True)
class Recent:
    """The blocks of the window, oldest first, and the faded sums."""

    blocks: list[Sums] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)  # samples of each block
    faded: Sums = field(default_factory=dict)

    def take(self, sums: Mapping[str, np.ndarray], settings: Evaluation) -> None:
        """Fold one update's ``sums`` in, in place; no array is shared with it."""
        count = int(scored(sums))
        if not count:
            return
        own = {name: value for name, value in sums.items() if not name.startswith(SLICE)}
        self.faded = add(fade(self.faded, 0.5 ** (count / settings.half_life)), own)
        if self.sizes and self.sizes[-1] < -(-settings.window // BLOCKS):
            self.blocks[-1] = add(self.blocks[-1], own)
            self.sizes[-1] += count
        else:
            self.blocks.append(add({}, own))
            self.sizes.append(count)
        while sum(self.sizes[1:]) >= settings.window:
            del self.blocks[0], self.sizes[0]

    def to_arrays(self) -> Sums:
        """Copies by name, for snapshots; :meth:`of_arrays` is the inverse."""
        parts = {_FADED: self.faded}
        parts |= {f"{_WINDOW}/{i}": block for i, block in enumerate(self.blocks)}
        return {
            f"{part}/{name}": np.array(value)
            for part, sums in parts.items()
            for name, value in sums.items()
        }

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Recent:
        """The state that ``arrays`` were made of."""
        parts: defaultdict[str, Sums] = defaultdict(dict)
        for path, value in arrays.items():
            part, _, name = path.rpartition("/")
            parts[part][name] = np.array(value)
        faded = parts.pop(_FADED, {})
        blocks = [parts[part] for part in sorted(parts, key=lambda part: int(part.split("/")[1]))]
        return cls(blocks, [int(scored(block)) for block in blocks], faded)

    def window(self) -> Sums:
        """The sums of the window's samples."""
        return reduce(add, self.blocks, Sums())
