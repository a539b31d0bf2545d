"""From runs to a page: medians and ranges, as JSON, as a Markdown table, and as plots."""

from __future__ import annotations

import statistics
import subprocess
from pathlib import Path
from typing import Any

import orjson

from benchmarks import contestants, suite
from benchmarks.environments import PROGRAMS, python_of, variables

BEGIN, END = "<!-- suite: begin -->", "<!-- suite: end -->"
_TITLES = {
    "ours-1": "flink_ol, 1 worker",
    "ours-2": "flink_ol, 2 workers",
    "obvious": "PyFlink, the obvious job",
    "river": "River",
    "vw": "Vowpal Wabbit from Kafka",
    "vw-file": "Vowpal Wabbit from a file",
    "sklearn-1": "scikit-learn, one by one",
    "sklearn-256": "scikit-learn, batches of 256",
    "confluent-floor": "confluent-kafka, only reading",
    "kafka-python-floor": "kafka-python, only reading",
    "core": "our core without Flink",
}


def summary(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One entry for each workload, format and contestant: median, least and most of each figure.

    Runs of the newest settings only; smoke and failed runs are counted by ``smoke``, ``failed``.
    """
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for each in runs:
        groups.setdefault((each["workload"], each["format"], each["contestant"]), []).append(each)
    return [_entry(*key, made) for key, made in sorted(groups.items(), key=_rank)]


def _rank(item: tuple[tuple[str, str, str], Any]) -> tuple[str, str, int, str]:
    workload, encoding, contestant = item[0]
    known = list(contestants.NAMES)
    place = known.index(contestant) if contestant in known else -1
    return workload, encoding, place, contestant


def _entry(
    workload: str, encoding: str, contestant: str, made: list[dict[str, Any]]
) -> dict[str, Any]:
    newest = [each for each in made if each["settings"] == made[-1]["settings"]]
    good = [each for each in newest if "error" not in each]
    rounds = {each["round"] for each in good}
    entry = {
        "workload": workload,
        "format": encoding,
        "contestant": contestant,
        "rounds": len(rounds),
        "failed": sorted({each["error"] for each in newest if each["round"] not in rounds}),
        "settings": made[-1]["settings"],
        "smoke": made[-1]["settings"]["smoke"],
    }
    if not good:
        return entry
    kinds = good[-1]["cpu_us_per_sample"]
    return entry | {
        "samples_per_s": spread([each["samples_per_s"] for each in good]),
        "cpu_us_per_sample": {
            kind: spread([each["cpu_us_per_sample"].get(kind, 0.0) for each in good])
            for kind in kinds
        },
        "peak_mib": spread([each["peak_mib"] for each in good]),
        "log_loss": spread([each["log_loss"] for each in good]),
        "log_loss_of_first": {
            count: spread([each["log_loss_of_first"].get(count) for each in good])
            for count in good[-1]["log_loss_of_first"]
        },
        "samples": spread([each["samples"] for each in good]),
        "bytes_per_update": spread([each.get("bytes_per_update") for each in good]),
        "submit_to_first_update_s": spread([each.get("submit_to_first_update_s") for each in good]),
        "loop_s": spread([each["loop_s"] for each in good]),
        "load": spread([each["load"] for each in good]),
        "warm": all(each["warm"] for each in good),
        "versions": good[-1]["versions"],
    }


def spread(values: list[Any]) -> dict[str, float] | None:
    """Median, least and most; None if there is nothing."""
    found = [value for value in values if value is not None]
    if not found:
        return None
    return {"median": statistics.median(found), "least": min(found), "most": max(found)}


def markdown(entries: list[dict[str, Any]], machine: dict[str, Any]) -> str:
    """The tables, one for each workload and format."""
    lines = [
        f"{machine['processor'] or machine['platform']}, {machine['cores']} cores, "
        f"{machine['memory_gib']} GiB. Medians, and in brackets the least and the most of all "
        "rounds. The log loss is that of predicting each sample before learning from it.",
        "",
    ]
    contests = dict.fromkeys((entry["workload"], entry["format"]) for entry in entries)
    for workload, encoding in contests:
        chosen = [e for e in entries if (e["workload"], e["format"]) == (workload, encoding)]
        common = _common_count(chosen)
        first = f"of the first {int(common):,}" if common else "of the first"
        smoke = " (smoke: shows that it works, not how fast)" if chosen[0]["smoke"] else ""
        lines += [
            f"#### {workload}, {encoding}{smoke}",
            "",
            f"| | samples/s | CPU us/sample | MiB | log loss {first} | at the end | rounds |",
            "| --- | --- | --- | --- | --- | --- | --- |",
            *(_row(entry, common) for entry in chosen),
            "",
        ]
    return "\n".join(lines)


def _common_count(entries: list[dict[str, Any]]) -> str | None:
    """The largest milestone that all who learn have reached."""
    learners = [e for e in entries if e.get("log_loss") and e.get("log_loss_of_first")]
    counts = [set(e["log_loss_of_first"]) for e in learners]
    common = set.intersection(*counts) if counts else set()
    return max(common, key=int) if common else None


def _row(entry: dict[str, Any], common: str | None) -> str:
    name = title(entry["contestant"])
    if "samples_per_s" not in entry:
        return f"| {name} | failed: {'; '.join(entry['failed'])[:120]} | | | | | 0 |"
    first = entry["log_loss_of_first"].get(common) if common else None
    end = entry["log_loss"]
    after = f" ({entry['samples']['median']:,.0f})" if end else ""
    cells = [
        _shown(entry["samples_per_s"], ",.0f") + ("" if entry["warm"] else " *not warm*"),
        _shown(entry["cpu_us_per_sample"]["all"], ".2f"),
        _shown(entry["peak_mib"], ",.0f"),
        f"{first['median']:.4f}" if first else "",
        f"{end['median']:.4f}{after}" if end else "",
        str(entry["rounds"]),
    ]
    return f"| {name} | {' | '.join(cells)} |"


def title(contestant: str) -> str:
    """What a contestant is called on the page."""
    if contestant in _TITLES:
        return _TITLES[contestant]
    _, workers, mode = contestant.split("-")
    return f"flink_ol, {workers} worker{'s' * (workers != '1')}, {mode}"


def _shown(figure: dict[str, float] | None, form: str) -> str:
    if figure is None:
        return ""
    least, most = format(figure["least"], form), format(figure["most"], form)
    return format(figure["median"], form) + (f" ({least} to {most})" if least != most else "")


def write(folder: Path, page: Path | None) -> str:
    """summary.json, table.md and plots in ``folder``; the tables into ``page`` between its marks.

    Raises:
        ValueError: there are no runs, or the page has no marks.
    """
    runs = suite.read(folder)
    if not runs:
        raise ValueError(f"{folder / suite.RUNS} has no runs: make some first")
    machine = runs[-1]["machine"]
    entries = summary(runs)
    named = {
        "machine": machine,
        "titles": {e["contestant"]: title(e["contestant"]) for e in entries},
    }
    told = orjson.dumps({**named, "entries": entries}, option=orjson.OPT_INDENT_2)
    (folder / "summary.json").write_bytes(told + b"\n")
    table = markdown(entries, machine)
    (folder / "table.md").write_text(table)
    if page is not None:
        text = page.read_text()
        if BEGIN not in text or END not in text:
            raise ValueError(f"{page}: put {BEGIN} and {END} where the tables belong")
        before, after = text.split(BEGIN)[0], text.split(END)[1]
        page.write_text(f"{before}{BEGIN}\n\n{table}\n{END}{after}")
    subprocess.run(
        [str(python_of("plots")), str(PROGRAMS / "plots.py"), str(folder)],
        check=True,
        env=variables(),
    )
    return table
