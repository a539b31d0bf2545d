"""Metrics as lines of text: one line a metric, the baselines beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

# those that one looks at first, in this order; others follow in the order of the message
_FIRST = ("accuracy", "log_loss", "f1", "mae", "rmse", "r2")
_BASELINES = "baselines"
_COUNTED = "scored"


def rows(metrics: Mapping[str, Any]) -> list[tuple[str, float, dict[str, float]]]:
    """(metric, value, {baseline: value}) in the order to show them in."""
    baselines: Mapping[str, Mapping[str, float]] = metrics.get(_BASELINES, {})
    names = [name for name in metrics if name not in (_BASELINES, _COUNTED)]
    names.sort(key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST))
    return [
        (
            name,
            float(metrics[name]),
            {
                baseline: float(values[name])
                for baseline, values in baselines.items()
                if values.get(name) is not None
            },
        )
        for name in names
        if isinstance(metrics[name], int | float)
    ]


def words(name: str) -> str:
    """``log_loss`` as a heading."""
    return name.replace("_", " ")


def in_brackets(baselines: Mapping[str, float]) -> str:
    """`` (no change 0.8533, majority 0.5753)``, or nothing."""
    beside = ", ".join(f"{words(name)} {value:.4f}" for name, value in baselines.items())
    return f" ({beside})" if beside else ""


def metric_lines(metrics: Mapping[str, Any]) -> Iterator[str]:
    """``accuracy   0.8221 (no change 0.8533, majority 0.5753)``, one line a metric."""
    for name, value, baselines in rows(metrics):
        yield f"  {words(name):<10} {value:.4f}{in_brackets(baselines)}"
