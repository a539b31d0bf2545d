"""Plots of a summary: rate and CPU time of every contestant, one figure for each workload.

``python plots.py FOLDER`` reads summary.json there and writes WORKLOAD-FORMAT.png and .svg.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from matplotlib import pyplot, rcParams

_OURS, _THEIRS = "#c4462d", "#5b7c99"
_PANELS = (("samples_per_s", "samples/s"), ("cpu", "CPU microseconds per sample"))


def draw(entries: list[dict[str, Any]], titles: dict[str, str], name: str, folder: Path) -> None:
    """Medians with their range, on logarithmic scales."""
    figure, axes = pyplot.subplots(1, 2, figsize=(11, 0.9 + 0.4 * len(entries)), sharey=True)
    names = [titles[entry["contestant"]] for entry in entries]
    own = ("ours", "core")
    colours = [_OURS if e["contestant"].startswith(own) else _THEIRS for e in entries]
    for axis, (key, label) in zip(axes, _PANELS, strict=True):
        found = [e["cpu_us_per_sample"]["all"] if key == "cpu" else e[key] for e in entries]
        medians = [each["median"] for each in found]
        below = [each["median"] - each["least"] for each in found]
        above = [each["most"] - each["median"] for each in found]
        # points: on a logarithmic scale the length of a bar says nothing
        axis.errorbar(medians, names, xerr=[below, above], fmt="none", ecolor="#888888", capsize=3)
        axis.scatter(medians, names, color=colours, zorder=3)
        axis.set_xscale("log")
        axis.set_xlim(min(medians) / 2, max(medians) * 4)
        axis.set_xlabel(label)
        axis.grid(alpha=0.3)
        for place, median in enumerate(medians):
            text = f"{median:,.0f}" if median >= 100 else f"{median:.2f}"
            axis.annotate(
                text, (median, place), (4, 7), textcoords="offset points", fontsize=7, va="center"
            )
    axes[0].invert_yaxis()
    smoke = " (smoke)" if entries[0]["smoke"] else ""
    figure.suptitle(f"{name}{smoke}")
    figure.tight_layout()
    figure.savefig(folder / f"{name}.png", dpi=110, metadata={"Software": None})
    figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
    pyplot.close(figure)


def main() -> None:
    pyplot.switch_backend("Agg")
    rcParams["svg.hashsalt"] = "flink_ol"  # the same figures give the same file
    folder = Path(sys.argv[1])
    told = json.loads((folder / "summary.json").read_text())
    groups: dict[str, list[dict[str, Any]]] = {}
    for entry in told["entries"]:
        if "samples_per_s" in entry:
            groups.setdefault(f"{entry['workload']}-{entry['format']}", []).append(entry)
    for name, entries in groups.items():
        draw(entries, told["titles"], name, folder)


if __name__ == "__main__":
    main()
