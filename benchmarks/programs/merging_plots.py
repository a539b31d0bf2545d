"""Curves of mode ``local``: accuracy and log loss against workers, a line for each interval.

``python merging_plots.py FILE.json`` writes FILE.png and .svg beside it, a column an optimizer.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from matplotlib import pyplot, rcParams

_COLOURS = ("#c4462d", "#5b7c99", "#3b8a5a", "#8a6bb0", "#b58b2a", "#444444")
_ROWS = (("accuracy", "accuracy, percent", 100.0), ("log_loss", "log loss", 1.0))


def draw(told: dict[str, Any], path: Path) -> None:
    """One column an optimizer, accuracy above log loss, on common scales."""
    settings = told["settings"]
    optimizers, intervals = settings["optimizers"], settings["intervals"]
    figure, axes = pyplot.subplots(
        2,
        len(optimizers),
        figsize=(3.2 * len(optimizers), 6),
        sharex=True,
        sharey="row",
        squeeze=False,
    )
    for column, optimizer in enumerate(optimizers):
        axes[0][column].set_title(optimizer)
        axes[1][column].set_xlabel("workers")
        for row, (key, label, unit) in enumerate(_ROWS):
            axis = axes[row][column]
            for place, interval in enumerate(intervals):
                found = {
                    each["workers"]: unit * each[key]
                    for each in told["figures"]
                    if (each["optimizer"], each["interval"]) == (optimizer, interval)
                }
                axis.plot(
                    list(found),
                    list(found.values()),
                    color=_COLOURS[place % len(_COLOURS)],
                    marker="o",
                    markersize=4,
                    label=f"{interval:,} samples a merge",
                )
            axis.set_xscale("log", base=2)
            axis.set_xticks(settings["workers"], [str(count) for count in settings["workers"]])
            axis.grid(alpha=0.3)
            if column == 0:
                axis.set_ylabel(label)
    axes[0][0].legend(fontsize=7)
    late = settings["late"]
    figure.suptitle(f"{Path(settings['workload']).name.split('.')[0]}, weights {late} batches late")
    figure.tight_layout()
    figure.savefig(path.with_suffix(".png"), dpi=110, metadata={"Software": None})
    figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})
    pyplot.close(figure)


def main() -> None:
    pyplot.switch_backend("Agg")
    rcParams["svg.hashsalt"] = "flink_ol"  # the same figures give the same file
    path = Path(sys.argv[1])
    draw(json.loads(path.read_text()), path)


if __name__ == "__main__":
    main()
