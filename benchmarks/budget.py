"""The budget: what each stage costs a sample, alone and in the running job, and what it must cost.

``python -m benchmarks budget`` writes ``budget.json`` and the page ``budget.md``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson

from benchmarks import in_place, stage_runs, stages
from benchmarks.environments import python_of
from benchmarks.marks import Limits
from benchmarks.measuring import Watch, loop_s, machine
from benchmarks.streamed import streamed
from benchmarks.topic import PARTITIONS, Topic, filled
from benchmarks.workloads import WORKLOADS
from flink_ol.client import MetricsReader

ROWS = (
    ("fetch", "Kafka's consumer: bytes off the network, unpacked into records"),
    ("gather", "records into Python as Arrow columns, and back as a batch of each partition"),
    ("cross", "batches into the trainers: Flink's and Beam's bundles"),
    ("decode", "bytes into arrays"),
    ("learn", "scoring, learning, the difference to the model before"),
    ("pack", "an update written down and read"),
    ("merge", "the sequencer puts updates in order"),
    ("fold", "the model takes an entry in, once in every subtask"),
    ("emit", "weights, metrics and snapshots written, and weights adopted by the trainers"),
)
REST = ("Java's compilers", "garbage collection", in_place.OTHER_THREADS, in_place.OTHER_PYTHON)


class Plan(NamedTuple):
    """What is measured, and for how long."""

    workload: str
    encoding: str
    samples: int
    workers: int
    window_ms: int
    weights_ms: int
    batch: int  # samples in an update, where stages stand alone
    limits: Limits
    smoke: bool


def measure(plan: Plan, folder: Path, tell: Callable[[str], None]) -> str:
    """Measure all of it; the page."""
    python_of("profile")  # made before anything is measured
    tell("the stages in Python alone")
    alone = stages.measure(plan.workload, plan.encoding, plan.batch, 20)
    us = {stage: spent / alone.samples * 1e6 for stage, spent in alone.cpu_s.items()}
    tell("filling the topic")
    with filled(plan.workload, plan.encoding, plan.samples) as topic:
        tell("the running job")
        place = running(topic, plan)
        before, notes = 0.0, []
        for stage in stage_runs.STAGES:
            tell(f"{stage} alone")
            try:
                found = stage_runs.measure(stage, topic, plan.workers, plan.window_ms, plan.limits)
            except ValueError as error:
                notes.append(f"{error}; the next stage has it in its figure")
                continue
            if not found["warm"]:
                notes.append(f"{stage} alone was measured before it was warm")
            total = found["cpu_us_per_sample"]["all"]
            us[stage], before = total - before, total
    told = {
        "settings": plan._asdict() | {"limits": plan.limits._asdict()},
        "machine": machine(),
        "loop_s": round(loop_s(), 3),
        "alone": {stage: round(us[stage], 3) for stage, _ in ROWS if stage in us},
        "notes": notes,
        "update_bytes": round(alone.update_bytes),
        "frame_bytes": round(alone.frame_bytes),
        "record_bytes": round(alone.record_bytes, 1),
        "limit": {k: round(v, 3) for k, v in stages.limits(plan.workload, plan.encoding).items()},
        "in_place": place,
    }
    folder.mkdir(parents=True, exist_ok=True)
    name = f"budget-{plan.workload}-{plan.encoding}"
    (folder / f"{name}.json").write_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2) + b"\n")
    text = page(told)
    (folder / f"{name}.md").write_text(text)
    return text


def running(topic: Topic, plan: Plan) -> dict[str, Any]:
    """CPU microseconds a sample by stage in our job while it runs through the topic."""
    sections: dict[str, Any] = {
        "samples": {"partitions": PARTITIONS, "format": topic.encoding},
        "training": {"workers": plan.workers, "batch_window_ms": plan.window_ms},
        "weights": {"interval_ms": plan.weights_ms},
        "metrics": {"interval_ms": 250},
        **WORKLOADS[topic.workload].spec,
    }
    with streamed(topic.job, topic.servers, **sections) as job:
        roots = job.flink_processes()
        job.submit()
        next(job.metrics(plan.limits.timeout_s), None)
        time.sleep(plan.limits.warm_up_s)
        with Watch(lambda: roots, children="python") as watch:
            watched_ms = time.time() * 1000
            spent = in_place.look(roots["java"], plan.limits.measured_s)
            done_ms = time.time() * 1000
        time.sleep(1.0)  # for the metrics of the last moments
        with MetricsReader(job.connection) as reader:
            told = reader.all()
    times = [message["time_ms"] for message in told]
    counts = [message["samples"] + message["rejected"] for message in told]
    if counts[-1] >= 0.99 * topic.samples:
        raise ValueError(f"{topic.samples} samples were too few: give more, or less time")

    def learned_in(begin_ms: float, end_ms: float) -> float:
        return float(np.interp(end_ms, times, counts) - np.interp(begin_ms, times, counts))

    learned, watched = learned_in(spent.began_ms, spent.ended_ms), learned_in(watched_ms, done_ms)
    if learned <= 0:
        raise ValueError("the job learned nothing meanwhile: give it more time to begin")
    last, first = watch.uses[-1].cpu_s, watch.uses[0].cpu_s
    return {
        "samples_per_s": round(learned / (spent.ended_ms - spent.began_ms) * 1000),
        "java": _per_sample(spent.java, learned),
        "python": _per_sample(spent.python, learned),
        "unmatched": _per_sample(spent.unmatched, learned),
        "total": _per_sample({kind: last[kind] - first.get(kind, 0.0) for kind in last}, watched),
    }


def _per_sample(seconds: dict[str, float], samples: float) -> dict[str, float]:
    """Microseconds, the largest first."""
    largest = sorted(seconds.items(), key=lambda item: -item[1])
    return {name: round(spent / samples * 1e6, 3) for name, spent in largest}


def page(told: dict[str, Any]) -> str:
    """The budget as a Markdown table."""
    settings, place, machine_ = told["settings"], told["in_place"], told["machine"]
    smoke = " Smoke: this shows that it works, not how fast." if settings["smoke"] else ""
    lines = [
        f"#### {settings['workload']}, {settings['encoding']}, {settings['workers']} workers",
        "",
        f"{machine_['processor'] or machine_['platform']}, {machine_['cores']} cores; loop_s "
        f"{told['loop_s']}. Windows of {settings['window_ms']} ms, weights every "
        f"{settings['weights_ms']} ms; alone with updates of {settings['batch']:,} samples "
        f"({told['update_bytes']:,} bytes; a frame {told['frame_bytes']:,}). CPU microseconds a "
        f"sample; {place['samples_per_s']:,} samples/s meanwhile.{smoke}",
        "",
        "| stage | alone | in place: JVM | in place: Python | limit | |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for stage, meaning in ROWS:
        cells = (
            told["alone"].get(stage),
            place["java"].get(stage),
            place["python"].get(stage),
            told["limit"].get(stage),
        )
        lines.append(f"| {stage} | {' | '.join(map(_cell, cells))} | {meaning} |")
    for stage in REST:
        java, python = place["java"].get(stage), place["python"].get(stage)
        lines.append(f"| {stage} | | {_cell(java)} | {_cell(python)} | | |")
    sums = (
        sum(told["alone"].values()),
        sum(place["java"].values()),
        sum(place["python"].values()),
        sum(told["limit"].values()),
    )
    lines.append(f"| sum | {' | '.join(map(_cell, sums))} | |")
    total = ", ".join(f"{kind} {spent:.2f}" for kind, spent in place["total"].items())
    lines += ["", f"Of the processes as a whole: {total}."]
    lines += [f"{note[0].upper()}{note[1:]}." for note in told["notes"]]
    if place["unmatched"]:
        named = ", ".join(f"{name} {us}" for name, us in list(place["unmatched"].items())[:6])
        lines.append(f"The largest other threads: {named}.")
    return "\n".join(lines) + "\n"


def _cell(us: float | None) -> str:
    return "" if us is None else f"{us:.2f}" if us >= 0.005 else f"{us:.3f}"
