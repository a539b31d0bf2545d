"""The regression guard: our job against the obvious one, in the same run on the same machine.

A time alone says more of the machine than of the code; a ratio of one run does not. It only warns.
"""

from __future__ import annotations

import warnings
from typing import Any

from benchmarks import contestants
from benchmarks.marks import Limits
from benchmarks.measuring import loop_s
from benchmarks.topic import filled


def compare(samples: int, limits: Limits, least: float) -> dict[str, Any]:
    """Rates of both and their ratio; a warning if it is below ``least``."""
    with filled("dense", "json", samples) as topic:
        obvious = contestants.run("obvious", topic, limits)
        ours = contestants.run("ours-2", topic, limits)
    ratio = ours["samples_per_s"] / obvious["samples_per_s"]
    if ratio < least:
        warnings.warn(verdict(ratio, least), stacklevel=2)
    return {
        "benchmark": "guard",
        "ratio": round(ratio, 2),
        "wanted": least,
        "ours_per_s": ours["samples_per_s"],
        "obvious_per_s": obvious["samples_per_s"],
        "loop_s": round(loop_s(), 3),
    }


def verdict(ratio: float, least: float) -> str:
    """What a ratio that is too small means."""
    return (
        f"our job is {ratio:.1f} times as fast as the obvious PyFlink job, {least:g} times were "
        "wanted: something has become slower, or both had no room on this machine; "
        "`python -m benchmarks budget` shows where the time goes"
    )
