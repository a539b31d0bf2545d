"""The suite: rounds of all contestants over the same topic, one at a time, kept as they come.

Every run is one line of ``runs.jsonl``. What is there already is not run again, so a suite that
was stopped, or ran out of its time, goes on where it was; a run that failed is tried once more.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from benchmarks import contestants
from benchmarks.marks import Limits
from benchmarks.measuring import loop_s, machine
from benchmarks.topic import Topic, filled

RUNS = "runs.jsonl"


class Plan(NamedTuple):
    """What is to be run."""

    contests: tuple[tuple[str, str], ...]  # (workload, encoding)
    contestants: tuple[str, ...]
    rounds: int
    samples: int
    limits: Limits
    minutes: float  # after which no run is begun
    smoke: bool  # figures only show that it works


class Run(NamedTuple):
    """One to be made."""

    round: int
    contestant: str


def run(plan: Plan, folder: Path, tell: Callable[[str], None]) -> None:
    """Make the runs of the plan that are not in ``folder`` yet."""
    folder.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + 60 * plan.minutes
    for workload, encoding in plan.contests:
        missing = left(plan, workload, encoding, read(folder))
        if not missing:
            tell(f"{workload} {encoding}: all there")
            continue
        if time.monotonic() > deadline:
            break
        tell(f"{workload} {encoding}: filling the topic")
        with filled(workload, encoding, plan.samples) as topic:
            for each in missing:
                if time.monotonic() > deadline:
                    tell(f"{plan.minutes:g} minutes are over: the same command goes on from here")
                    return
                made = _made(each, topic, plan)
                _append(folder, made)
                tell(_line(made))


def left(plan: Plan, workload: str, encoding: str, made: list[dict[str, Any]]) -> list[Run]:
    """The runs of one workload that were not made, each round beginning with another contestant."""
    done = {
        (each["contestant"], each["round"])
        for each in made
        if "error" not in each
        and (each["workload"], each["format"]) == (workload, encoding)
        and each["settings"] == _settings(plan)
    }
    able = [c for c in plan.contestants if contestants.applies(c, workload, encoding)]
    return [
        Run(number, contestant)
        for number in range(1, plan.rounds + 1)
        for contestant in _turned(able, number - 1)
        if (contestant, number) not in done
    ]


def read(folder: Path) -> list[dict[str, Any]]:
    """The runs there are; a line that a crash cut short is none."""
    path = folder / RUNS
    if not path.exists():
        return []
    found = []
    for line in path.read_bytes().splitlines():
        try:
            found.append(orjson.loads(line))
        except orjson.JSONDecodeError:
            continue
    return found


def _turned(names: list[str], by: int) -> list[str]:
    by %= max(len(names), 1)
    return names[by:] + names[:by]


def _settings(plan: Plan) -> dict[str, Any]:
    limits = plan.limits
    return {
        "samples": plan.samples,
        "warm_up_s": limits.warm_up_s,
        "measured_s": limits.measured_s,
        "smoke": plan.smoke,
    }


def _made(each: Run, topic: Topic, plan: Plan) -> dict[str, Any]:
    record: dict[str, Any] = {
        "workload": topic.workload,
        "format": topic.encoding,
        "contestant": each.contestant,
        "round": each.round,
        "settings": _settings(plan),
        "record_bytes": round(topic.record_bytes, 1),
        "time": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime()),
        "load": round(os.getloadavg()[0], 2),
        "loop_s": round(loop_s(), 3),
        "machine": machine(),
    }
    try:
        return record | contestants.run(each.contestant, topic, plan.limits)
    except Exception as error:  # one contestant's failure is no reason to lose the others' runs
        return record | {"error": f"{type(error).__name__}: {error}"[:2000]}


def _append(folder: Path, made: dict[str, Any]) -> None:
    with (folder / RUNS).open("ab") as stream:
        stream.write(orjson.dumps(made) + b"\n")


def _line(made: dict[str, Any]) -> str:
    place = f"{made['workload']} {made['format']} round {made['round']} {made['contestant']}"
    if "error" in made:
        return f"{place}: {made['error']}"
    return (
        f"{place}: {made['samples_per_s']:,}/s, {made['cpu_us_per_sample']['all']:.2f} us, "
        f"{made['peak_mib']} MiB, log loss {made['log_loss']}"
    )
