"""The contestants: who they are, what they can read, and how one run of each is made."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import threading
from typing import Any, NamedTuple

import psutil

from benchmarks.environments import PROGRAMS, python_of, variables
from benchmarks.marks import Limits, Mark, run_figures
from benchmarks.measuring import Watch
from benchmarks.topic import Topic
from benchmarks.workloads import WORKLOADS

_PYTHON_WARM_UP_S = 2.0
_GRACE_S = 60.0  # for imports, compiling and the end, beyond the time to measure
_ALL = frozenset({"numbers", "mixed", "sparse", "image"})
_BINARY = frozenset({"numbers", "mixed", "sparse"})
_TEXT = frozenset({"json", "vw"})
_ANY = frozenset({"json", "vw", "arrow"})


class Program(NamedTuple):
    """A contestant that is one Python process."""

    environment: str
    script: str
    kinds: frozenset[str]
    encodings: frozenset[str]
    options: dict[str, Any] = {}  # noqa: RUF012


PROGRAMS_BY_NAME = {
    "river": Program("river", "river_loop.py", _BINARY, _TEXT),
    "vw": Program("vw", "vw_kafka.py", _BINARY, _TEXT),
    "vw-file": Program("vw", "vw_file.py", _BINARY, frozenset({"vw"})),
    "sklearn-1": Program("sklearn", "sklearn_loop.py", _BINARY, _TEXT, {"batch": 1}),
    "sklearn-256": Program("sklearn", "sklearn_loop.py", _ALL, _TEXT, {"batch": 256}),
    "confluent-floor": Program("confluent", "floor_confluent.py", _ALL, _ANY),
    "kafka-python-floor": Program("kafka-python", "floor_kafka_python.py", _ALL, _ANY),
    "core": Program("core", "core_loop.py", _ALL, _ANY, {"batch": 10_000}),
}
FLINK = ("ours-1", "ours-2", "obvious")  # and ours-WORKERS-MODE
NAMES = (*FLINK, *PROGRAMS_BY_NAME)


def applies(contestant: str, workload: str, encoding: str) -> bool:
    """Whether the contestant can do that."""
    kind = WORKLOADS[workload].kind
    if contestant.startswith("ours-"):
        return True
    if contestant == "obvious":
        return kind in _BINARY and encoding in _TEXT
    program = PROGRAMS_BY_NAME[contestant]
    return kind in program.kinds and encoding in program.encodings


def run(contestant: str, topic: Topic, limits: Limits) -> dict[str, Any]:
    """The figures of one run.

    Raises:
        RuntimeError, TimeoutError, StackError: it did not work; with the reason.
    """
    if contestant in PROGRAMS_BY_NAME:
        return _program(PROGRAMS_BY_NAME[contestant], topic, limits)
    from benchmarks import flink_runs  # pyflink takes its time to import

    if contestant == "obvious":
        return flink_runs.obvious(topic, settings(topic), limits)
    _, workers, *mode = contestant.split("-")
    return flink_runs.ours(topic, int(workers), mode[0] if mode else "local", limits)


def settings(topic: Topic) -> dict[str, Any]:
    """What every contestant is told."""
    workload = WORKLOADS[topic.workload]
    rate = workload.spec["optimizer"].get("learning_rate", 0.01)
    return {
        "servers": topic.servers,
        "topic": topic.name,
        "messages": topic.messages,
        "samples_each": topic.samples_each,
        "format": topic.encoding,
        "kind": workload.kind,
        "classes": workload.classes,
        "rate": rate,
        "bits": workload.spec.get("features", {}).get("hash_bits", 18),
        "file": str(topic.file),
    }


def _program(program: Program, topic: Topic, limits: Limits) -> dict[str, Any]:
    told = settings(topic) | program.options | {"spec": dict(WORKLOADS[topic.workload].spec)}
    told["seconds"] = _PYTHON_WARM_UP_S + limits.measured_s
    python = python_of(program.environment)
    with tempfile.TemporaryFile("w+") as errors:
        child = subprocess.Popen(
            [str(python), str(PROGRAMS / program.script), json.dumps(told)],
            env=variables(),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
        allowed_s = min(limits.timeout_s, told["seconds"] + _GRACE_S)
        timer = threading.Timer(allowed_s, _end, [child.pid])
        timer.start()
        roots = {"python": [psutil.Process(child.pid)]}
        try:
            with Watch(lambda: roots) as watch:
                lines = [json.loads(line) for line in child.stdout or ()]
            code = child.wait()
        except BaseException:
            _end(child.pid)
            raise
        finally:
            timer.cancel()
        errors.seek(0)
        if code != 0:
            why = errors.read().strip()[-800:]
            raise RuntimeError(f"{program.script} ended with {code}: {why}")
    marks = [Mark(line["samples"], line["at_s"], line["loss"]) for line in lines]
    figures = run_figures(marks, watch.uses, _PYTHON_WARM_UP_S, topic.samples)
    return {**figures, "versions": lines[-1].get("versions", {})}


def _end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
