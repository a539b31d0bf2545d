"""Runs of what works on Flink: our job, and the job of a first attempt, each on a fresh cluster."""

from __future__ import annotations

import json
import tempfile
import time
import urllib.request
import uuid
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
from kafka import KafkaConsumer
from kafka.admin import KafkaAdminClient, NewTopic

from benchmarks.environments import PROGRAMS
from benchmarks.marks import Limits, Mark, run_figures
from benchmarks.measuring import Watch
from benchmarks.streamed import streamed
from benchmarks.topic import PARTITIONS, Topic
from benchmarks.workloads import WORKLOADS
from flink_ol.local.stack import Stack

_WINDOW_MS, _WEIGHTS_MS = 200, 100
_DONE = 0.97
_SILENT_S = 45.0  # without a word a job has failed
_COUNTED_S = 12.0  # the first question makes Flink gather its counters, and is answered with 0
_TAIL_S = 3.0  # nothing new for so long: the rest lies between two lines of figures


def ours(topic: Topic, workers: int, mode: str, limits: Limits) -> dict[str, Any]:
    """Our job with checkpoints on, until the topic is read or time is up."""
    sections: dict[str, Any] = {
        "samples": {"partitions": PARTITIONS, "format": topic.encoding},
        "training": {"workers": workers, "batch_window_ms": _WINDOW_MS, "mode": mode},
        "weights": {"interval_ms": _WEIGHTS_MS},
        "metrics": {"interval_ms": 250},
        **WORKLOADS[topic.workload].spec,
    }
    with streamed(topic.job, topic.servers, **sections) as job:
        roots = job.flink_processes()
        began = time.time()
        job_id = job.submit()
        marks: list[Mark] = []
        with Watch(lambda: roots, children="python") as watch:
            for message in job.metrics(_SILENT_S):
                at_s = message["time_ms"] / 1000
                if at_s < began:
                    continue  # of a run before
                if not marks:
                    marks.append(Mark(0, began, 0.0))
                    first_update_s = at_s - began
                samples = message["samples"] + message["rejected"]
                loss = message["metrics"].get("log_loss") or 0.0
                marks.append(Mark(samples, at_s, loss * message["samples"]))
                if _over(marks, topic, limits, began):
                    break
        size = _bytes_per_update(job.stack.rest_url, job_id)
    # the first mark was before the job was there
    figures = run_figures(marks[1:], watch.uses, limits.warm_up_s, topic.samples)
    versions = {"apache-flink": version("apache-flink"), "flink-ol": version("flink-ol")}
    told = {"submit_to_first_update_s": round(first_update_s, 1), "bytes_per_update": size}
    return {**figures, **told, "versions": versions}


def obvious(topic: Topic, settings: dict[str, Any], limits: Limits) -> dict[str, Any]:
    """programs/obvious_job.py with two workers, until the topic is read or time is up."""
    figures_topic = f"obvious-{uuid.uuid4().hex}"
    admin = KafkaAdminClient(bootstrap_servers=topic.servers)
    admin.create_topics([NewTopic(figures_topic, 1, 1)])
    admin.close()
    told = {**settings, "workers": 2, "figures": figures_topic}
    with tempfile.TemporaryDirectory(prefix="flink-ol-bench-") as folder:
        stack = Stack(Path(folder) / "stack")
        try:
            members = stack.up(slots=2, bootstrap_servers=topic.servers).members
            roots = {"java": [psutil.Process(member.pid) for member in members]}
            began = time.time()
            script = PROGRAMS / "obvious_job.py"
            stack.submit(["-pyfs", PROGRAMS, "-py", script, json.dumps(told)])
            with Watch(lambda: roots, children="python") as watch:
                marks = _follow(topic, figures_topic, limits, began)
        finally:
            stack.down()
    figures = run_figures(marks, watch.uses, limits.warm_up_s, topic.samples)
    return {**figures, "versions": {"apache-flink": version("apache-flink")}}


def _follow(topic: Topic, figures_topic: str, limits: Limits, began: float) -> list[Mark]:
    """Marks of all subtasks together."""
    consumer = KafkaConsumer(
        figures_topic,
        bootstrap_servers=topic.servers,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        group_id=None,
    )
    newest: dict[int, dict[str, Any]] = {}
    marks: list[Mark] = []
    heard = 0.0
    while not _over(marks, topic, limits, began):
        if heard and time.time() - heard > _TAIL_S:
            break
        for records in consumer.poll(250).values():
            lines = [json.loads(record.value) for record in records]
            newest |= {line["subtask"]: line for line in lines}
            heard = time.time()
            marks.append(
                Mark(
                    sum(line["samples"] for line in newest.values()),
                    max(line["at_s"] for line in newest.values()),
                    sum(line["loss"] for line in newest.values()),
                )
            )
    consumer.close()
    return marks


def _over(marks: list[Mark], topic: Topic, limits: Limits, began: float) -> bool:
    if time.time() - began > limits.timeout_s:
        learned = marks[-1].samples if marks else 0
        raise TimeoutError(f"{learned} of {topic.samples} samples after {limits.timeout_s:.0f} s")
    if not marks:
        return False
    last = marks[-1]
    learning = [mark for mark in marks if mark.samples > 0]
    measured = last.at_s - learning[0].at_s if learning else 0.0
    return last.samples >= _DONE * topic.samples or measured > limits.warm_up_s + limits.measured_s


def _bytes_per_update(rest_url: str, job_id: str) -> int | None:
    """Mean size of what the trainers send, as Flink counts it (with what is around it)."""
    deadline = time.monotonic() + _COUNTED_S
    while time.monotonic() < deadline:
        with urllib.request.urlopen(f"{rest_url}/jobs/{job_id}", timeout=10) as answer:
            vertices = json.load(answer)["vertices"]
        for vertex in vertices:
            counted = vertex["metrics"]
            if "trainer" in vertex["name"] and counted["write-records"]:
                return round(counted["write-bytes"] / counted["write-records"])
        time.sleep(0.5)
    return None
