"""Metrics as lines of text: one line a metric, the newest samples and the baselines beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

# those that one looks at first, in this order; others follow in the order of the message
_FIRST = (
    "accuracy",
    "log_loss",
    "roc_auc",
    "f1",
    "balanced_accuracy",
    "kappa",
    "mae",
    "rmse",
    "r2",
    "pinball",
    "poisson_deviance",
)
_BASELINES = "baselines"
_WINDOW = "window"
_NO_ROWS = ("scored", "roc_auc_within")
_LIVE = 8  # rows of a live table: those that one looks at first


def rows(metrics: Mapping[str, Any]) -> list[tuple[str, float, dict[str, float]]]:
    """(metric, value, {baseline: value}) in the order to show them in."""
    baselines: Mapping[str, Mapping[str, float]] = metrics.get(_BASELINES, {})
    names = [name for name in metrics if name not in _NO_ROWS]
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


def live_rows(metrics: Mapping[str, Any]) -> list[tuple[str, float, dict[str, float]]]:
    """The first of :func:`rows`, with the window's value as that of ``last 10,431``."""
    newest: Mapping[str, Any] = metrics.get(_WINDOW, {})
    heading = f"last {newest.get('scored', 0):,}"
    return [
        (name, value, {heading: float(newest[name]), **beside} if name in newest else beside)
        for name, value, beside in rows(metrics)[:_LIVE]
    ]


def words(name: str) -> str:
    """``log_loss`` as a heading."""
    return name.replace("_", " ")


def in_brackets(baselines: Mapping[str, float]) -> str:
    """`` (no change 0.8533, majority 0.5753)``, or nothing."""
    beside = ", ".join(f"{words(name)} {value:.4f}" for name, value in baselines.items())
    return f" ({beside})" if beside else ""


def metric_lines(metrics: Mapping[str, Any]) -> Iterator[str]:
    """``accuracy   0.8221 (no change 0.8533, majority 0.5753)``, one line a metric.

    Then the newest samples and the slices, where there are any.
    """
    width = max((len(name) for name, _, _ in rows(metrics)), default=0)
    for name, value, baselines in rows(metrics):
        yield f"  {words(name):<{width}} {value:.4f}{in_brackets(baselines)}"
    for part in (_WINDOW, "faded"):
        found = rows(metrics.get(part, {}))[:_LIVE]
        if found:
            told = ", ".join(f"{words(name)} {value:.4f}" for name, value, _ in found)
            size = metrics[part]["scored"]
            heading = f"last {size:,}" if part == _WINDOW else f"faded to {size:,.0f}"
            yield f"  {heading}: {told}"
    for field, slices in metrics.get("slices", {}).items():
        yield from _slice_lines(field, slices)


def _slice_lines(field: str, slices: Mapping[str, Any]) -> Iterator[str]:
    """The values with the most samples first; of many only those."""
    known = sorted(slices["values"].items(), key=lambda item: -item[1]["scored"])
    rest = [(f"({name})", slices[name]) for name in ("other", "absent") if name in slices]
    for value, metrics in known[:_LIVE] + rest:
        told = ", ".join(f"{words(name)} {figure:.4f}" for name, figure, _ in rows(metrics)[:3])
        yield f"  {field}={value}: {metrics['scored']:,.0f} samples, {told}"
    if len(known) > _LIVE:
        yield f"  {field}: {len(known) - _LIVE} values more"
