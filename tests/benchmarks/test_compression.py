"""The figures of compressed updates: bytes of what passes, losses of what was learned from it."""

from __future__ import annotations

import pytest

from benchmarks import compression
from benchmarks.compression import Plan


def _quiet(text: str) -> None:
    pass


def test_compressed_updates_are_smaller_and_everything_is_learned_from() -> None:
    plan = Plan("a9a-like", 2, 100, 1_200, 1)
    found = {(f["mode"], f["optimizer"], f["sent"]): f for f in compression.figures(plan, _quiet)}
    assert len(found) == len(compression.CASES) * len(compression.SETTINGS)
    for (mode, optimizer, sent), figures in found.items():
        whole = found[mode, optimizer, "everything"]
        assert sent == "everything" or figures["bytes"] < whole["bytes"]
        assert 0.3 < figures["log_loss"] < 0.75
    rounded = found["local", "sgd", "float16"]
    assert abs(rounded["log_loss"] - found["local", "sgd", "everything"]["log_loss"]) < 0.001


def test_shares_are_of_what_everything_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    at = {"mode": "local", "optimizer": "sgd", "log_loss": 0.5, "accuracy": 0.75}
    told = [at | {"sent": "everything", "bytes": 400}, at | {"sent": "int8", "bytes": 100}]
    monkeypatch.setattr(compression, "figures", lambda plan, tell: iter(told))
    lines = compression.table(Plan("hashed", 1, 100, 300, 0), _quiet).splitlines()
    assert lines[2] == "| local, sgd | everything | 400 | 100 % | 0.5000 | 75.00 |"
    assert lines[3] == "| local, sgd | int8 | 100 | 25 % | 0.5000 | 75.00 |"
