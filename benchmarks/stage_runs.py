"""What the stages before Python cost alone: small Flink jobs over the same topic."""

from __future__ import annotations

import time
from contextlib import closing
from typing import Any

from kafka.admin import KafkaAdminClient
from kafka.errors import CoordinatorNotAvailableError

from benchmarks.environments import PROGRAMS
from benchmarks.marks import Limits, Mark, run_figures
from benchmarks.measuring import Watch
from benchmarks.streamed import streamed
from benchmarks.topic import PARTITIONS, Topic
from benchmarks.workloads import WORKLOADS

STAGES = ("fetch", "gather", "cross")
_POLL_S = 0.25


def measure(
    stage: str, topic: Topic, workers: int, window_ms: int, limits: Limits
) -> dict[str, Any]:
    """Figures of a job that ends after ``stage``; CPU time is of it and all stages before."""
    sections: dict[str, Any] = {
        "samples": {"partitions": PARTITIONS, "format": topic.encoding},
        "training": {"workers": workers, "batch_window_ms": window_ms},
        **WORKLOADS[topic.workload].spec,
    }
    group = f"flink_ol.{topic.job}.samples"
    admin = KafkaAdminClient(bootstrap_servers=topic.servers)
    with streamed(topic.job, topic.servers, **sections) as job, closing(admin):
        roots = job.flink_processes()
        before = _committed(admin, topic, group)
        script = PROGRAMS / "stage_job.py"
        job.stack.submit(["-pyfs", PROGRAMS, "-py", script, job.path, stage])
        began = time.time()
        marks: list[Mark] = []
        with Watch(lambda: roots, children="python") as watch:
            while time.time() - began < limits.timeout_s:
                time.sleep(_POLL_S)
                committed = _committed(admin, topic, group)
                if committed in (0, before):
                    continue  # what an earlier job left there
                before = -1
                samples = committed * topic.samples_each
                if not marks or samples > marks[-1].samples:
                    marks.append(Mark(samples, time.time(), 0.0))
                seconds = time.time() - marks[0].at_s
                if samples >= topic.samples or seconds > limits.warm_up_s + limits.measured_s:
                    break
    return run_figures(marks, watch.uses, limits.warm_up_s, topic.samples)


def _committed(admin: KafkaAdminClient, topic: Topic, group: str) -> int:
    """Messages that the job's checkpoints have put behind it."""
    try:
        found = admin.list_consumer_group_offsets(group)
    except CoordinatorNotAvailableError:  # nobody has committed anything to this broker yet
        return 0
    return sum(max(0, place.offset) for part, place in found.items() if part.topic == topic.name)
