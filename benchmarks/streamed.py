"""A job on a local stack of its own, for as long as a measurement takes."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import yaml

from benchmarks.measuring import cpu_seconds
from flink_ol.app.job_memory import advised_mib, heap_need
from flink_ol.client import Connection, MetricsReader
from flink_ol.job.spec import Spec
from flink_ol.job.topics import ensure_topics
from flink_ol.local.flink_files import TASK_HEAP
from flink_ol.local.stack import Stack

ENTRY = Path(__file__).parent.parent / "jobs" / "train.py"


class Streamed(NamedTuple):
    """The stack, the specification, and how clients reach the job."""

    stack: Stack
    path: Path
    spec: Spec
    connection: Connection

    def submit(self) -> str:
        """Starts the job; its id in Flink."""
        return self.stack.submit(["-py", ENTRY, self.path])

    def flink_processes(self) -> dict[str, list[psutil.Process]]:
        """Flink's JVMs; the Python workers are their children."""
        members = self.stack.status().members
        return {"java": [psutil.Process(each.pid) for each in members if each.name != "broker"]}

    def metrics(self, silent_s: float | None = None) -> Iterator[dict[str, Any]]:
        """The job's metrics messages as they come; ends after ``silent_s`` without one."""
        with MetricsReader(self.connection) as reader:
            yield from reader.follow(silent_s)

    def cpu_seconds(self) -> dict[str, float]:
        """CPU time so far by kind of process: flink (both JVMs), python, kafka."""
        seconds = {"flink": 0.0, "python": 0.0, "kafka": 0.0}
        for member in self.stack.status().members:
            kind = "kafka" if member.name == "broker" else "flink"
            process = psutil.Process(member.pid)
            seconds[kind] += cpu_seconds(process)
            for child in process.children(recursive=True):
                seconds["python"] += cpu_seconds(child)
        return seconds


@contextmanager
def streamed(
    name: str,
    servers: str | None = None,
    slots: int = 2,
    task_managers: int = 1,
    heap_mib: int | None = None,
    **sections: Any,
) -> Iterator[Streamed]:
    """A stack with the job's topics made; the job is not submitted yet.

    ``servers``: a broker that is there already; None: the stack has its own. ``slots``: of each
    of the ``task_managers``, whose heap has ``heap_mib``; None: what a user would be told to give.
    """
    if heap_mib is None:
        planned = Spec.model_validate({"name": name, **sections})
        need = heap_need(planned)
        used = math.ceil(planned.training.workers / task_managers)
        heap_mib = max(TASK_HEAP, advised_mib(need, used) if need else 0)
    with tempfile.TemporaryDirectory(prefix="flink-ol-bench-") as folder:
        stack = Stack(Path(folder) / "stack")
        try:
            status = stack.up(
                task_managers=task_managers,
                slots=slots,
                heap_mib=heap_mib,
                bootstrap_servers=servers,
            )
            fields = {
                "name": name,
                "kafka": {"bootstrap_servers": status.bootstrap_servers},
                "samples": {"partitions": 4},
                **sections,
            }
            path = Path(folder) / f"{name}.yaml"
            path.write_text(yaml.safe_dump(fields))
            spec = Spec.load(path)
            ensure_topics(spec)
            yield Streamed(stack, path, spec, Connection(status.bootstrap_servers, name))
        finally:
            stack.down()


def await_samples(job: Streamed, count: int, timeout_s: float = 300.0) -> list[dict[str, Any]]:
    """The metrics messages until one tells of ``count`` samples."""
    messages = []
    deadline = time.monotonic() + timeout_s
    for message in job.metrics():
        messages.append(message)
        if message["samples"] + message["rejected"] >= count:
            return messages
        if time.monotonic() > deadline:
            raise TimeoutError(f"{message['samples']} of {count} samples after {timeout_s} s")
    raise AssertionError("unreachable")
