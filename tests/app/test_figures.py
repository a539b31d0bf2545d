"""What a person reads of the metrics: the first things first, the newest samples beside them."""

from __future__ import annotations

from typing import Any

from flink_ol.app.figures import live_rows, metric_lines, rows

METRICS: dict[str, Any] = {
    "kappa": 0.4,
    "log_loss": 0.5,
    "roc_auc": 0.7,
    "roc_auc_within": 0.001,
    "accuracy": 0.8,
    "calibration": [{"from": 0.0, "to": 0.1}],
    "baselines": {"no_change": {"accuracy": 0.6}, "majority": {"accuracy": 0.7, "log_loss": 0.6}},
    "scored": 90_000,
    "window": {"accuracy": 0.9, "log_loss": 0.3, "baselines": {}, "scored": 10_431},
    "slices": {
        "city": {
            "values": {
                f"c{i}": {"accuracy": 0.5, "baselines": {}, "scored": i} for i in range(1, 12)
            },
            "absent": {"accuracy": 0.1, "baselines": {}, "scored": 7},
        }
    },
}


def test_rows_are_figures_only_and_the_first_come_first() -> None:
    assert [name for name, _, _ in rows(METRICS)] == ["accuracy", "log_loss", "roc_auc", "kappa"]


def test_live_rows_have_the_window_beside_all_so_far() -> None:
    accuracy, log_loss, area, _ = live_rows(METRICS)
    assert accuracy == ("accuracy", 0.8, {"last 10,431": 0.9, "no_change": 0.6, "majority": 0.7})
    assert log_loss == ("log_loss", 0.5, {"last 10,431": 0.3, "majority": 0.6})
    assert area == ("roc_auc", 0.7, {})


def test_lines_end_with_the_window_and_the_largest_slices() -> None:
    lines = list(metric_lines(METRICS))
    assert lines[0] == "  accuracy 0.8000 (no change 0.6000, majority 0.7000)"
    assert "  last 10,431: accuracy 0.9000, log loss 0.3000" in lines
    cities = [line for line in lines if "city" in line]
    assert cities[0] == "  city=c11: 11 samples, accuracy 0.5000"
    assert cities[-2:] == ["  city=(absent): 7 samples, accuracy 0.1000", "  city: 3 values more"]


def test_metrics_of_nothing_have_no_lines() -> None:
    assert list(metric_lines({})) == []
