"""The figures of rounded weights frames: bytes of what passes, losses of what was learned."""

from __future__ import annotations

import pytest

from benchmarks import frame_bytes
from benchmarks.compression import Plan
from flink_ol.core import frames


def test_rounded_frames_are_smaller_and_learned_by_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(frames, "_SMALL_BYTES", 0)  # a model of 123 features would be sent whole
    plan = Plan("a9a-like", 2, 100, 1_200, 1)
    told = list(frame_bytes.figures(plan, lambda text: None))
    found = {(one["mode"], one["optimizer"], one["numbers"]): one for one in told}
    assert len(found) == 2 * len(frame_bytes.OPTIMIZERS) * len(frame_bytes.SETTINGS)
    for (mode, optimizer, numbers), figures in found.items():
        exact = found[mode, optimizer, "exact"]
        assert figures["frames"] == exact["frames"]
        if numbers != "exact":
            assert figures["bytes"] < exact["bytes"]
            assert figures["changes"] >= exact["changes"]
            assert abs(figures["log_loss"] - exact["log_loss"]) < 0.002
