"""The figures of mode ``local`` on a page: JSON, a Markdown table, and plots."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from benchmarks import merging
from benchmarks.environments import PROGRAMS, python_of, variables
from benchmarks.merging import Curves


def make(curves: Curves, folder: Path, tell: Callable[[str], None], plots: bool = True) -> str:
    """merging-NAME.json and .md in ``folder``, with ``plots`` .png and .svg too; the table."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"merging-{Path(curves.workload).name.split('.')[0]}"
    figures = list(merging.figures(curves, tell))
    told = {"settings": curves._asdict(), "figures": figures}
    path = folder / f"{name}.json"
    path.write_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2) + b"\n")
    table = markdown(curves, figures)
    path.with_suffix(".md").write_text(table)
    if plots:
        subprocess.run(
            [str(python_of("plots")), str(PROGRAMS / "merging_plots.py"), str(path)],
            check=True,
            env=variables(),
        )
    return table


def markdown(curves: Curves, figures: list[dict[str, Any]]) -> str:
    """Accuracy in percent and log loss: a row for each optimizer and interval."""
    found = {(f["optimizer"], f["interval"], f["workers"]): f for f in figures}
    heads = [f"{count} worker{'s' * (count != 1)}" for count in curves.workers]
    lines = [
        f"| optimizer | samples a merge | {' | '.join(heads)} |",
        f"| --- | --- |{' --- |' * len(heads)}",
    ]
    for optimizer in curves.optimizers:
        for interval in curves.intervals:
            cells = [_cell(found[optimizer, interval, workers]) for workers in curves.workers]
            lines.append(f"| {optimizer} | {interval:,} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(figure: dict[str, Any]) -> str:
    lost = figure["dead_letters"]
    told = f"{100 * figure['accuracy']:.2f}, {figure['log_loss']:.4f}"
    return f"{told} ({lost:,} dead letters)" if lost else told
