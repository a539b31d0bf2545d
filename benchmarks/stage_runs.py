"""What the stages before Python cost alone: small Flink jobs over the same topic.

They read several times as fast as the whole job does, so the topic may end before they are warm.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from kafka.admin import KafkaAdminClient
from kafka.errors import CoordinatorNotAvailableError, GroupIdNotFoundError, NoError

from benchmarks.environments import PROGRAMS
from benchmarks.marks import TAIL, Limits, Mark, run_figures, steady
from benchmarks.measuring import Use, Watch
from benchmarks.streamed import streamed
from benchmarks.topic import PARTITIONS, Topic
from benchmarks.workloads import WORKLOADS

STAGES = ("fetch", "gather", "cross")
_POLL_S = 0.25
_LEAST_S, _LEAST_SHARE = 2.0, 0.2  # of the topic; offsets are told only twice a second


def measure(
    stage: str, topic: Topic, workers: int, window_ms: int, limits: Limits
) -> dict[str, Any]:
    """Figures of a job that ends after ``stage``; CPU time is of it and all stages before.

    Raises ValueError where the topic was read to its end too soon to say anything.
    """
    sections: dict[str, Any] = {
        "samples": {"partitions": PARTITIONS, "format": topic.encoding},
        "training": {"workers": workers, "batch_window_ms": window_ms},
        **WORKLOADS[topic.workload].spec,
    }
    group = f"flink_ol.{topic.job}.samples"
    admin = KafkaAdminClient(bootstrap_servers=topic.servers)
    with streamed(topic.job, topic.servers, **sections) as job, closing(admin):
        roots = job.flink_processes()
        _forget(admin, group)
        script = PROGRAMS / "stage_job.py"
        job.stack.submit(["-pyfs", PROGRAMS, "-py", script, job.path, stage])
        began = time.time()
        marks: list[Mark] = []
        with Watch(lambda: roots, children="python") as watch:
            while time.time() - began < limits.timeout_s:
                time.sleep(_POLL_S)
                committed = _committed(admin, topic, group)
                samples = committed * topic.samples_each
                if samples > (marks[-1].samples if marks else 0):
                    marks.append(Mark(samples, time.time(), 0.0))
                seconds = time.time() - (marks[0].at_s if marks else time.time())
                if samples >= topic.samples or seconds > limits.warm_up_s + limits.measured_s:
                    break
    return figures(stage, marks, watch.uses, limits.warm_up_s, topic.samples)


def figures(
    stage: str, marks: Sequence[Mark], uses: Sequence[Use], warm_up_s: float, samples: int
) -> dict[str, Any]:
    """As run_figures, of the time in which there were samples to read.

    Raises ValueError where that was too short, or too few of the topic's ``samples`` lie in it.
    """
    lasting = [mark for mark in marks if mark.samples <= TAIL * samples]
    ended = len(lasting) < len(marks)
    seconds, read = 0.0, 0
    if len(lasting) > 1 or not ended:
        first, last = steady(lasting, warm_up_s, samples)
        seconds, read = last.at_s - first.at_s, last.samples - first.samples
    # offsets may stay where they were some way before the end
    if seconds < _LEAST_S or (ended and read < _LEAST_SHARE * samples):
        raise ValueError(
            f"{stage} alone was through the topic's {samples:,} samples too soon: {read:,} of them "
            f"in {seconds:.1f} s lie between its warm-up and the end; give it more samples"
        )
    return run_figures(lasting, uses, warm_up_s, samples)


def _forget(admin: KafkaAdminClient, group: str) -> None:
    """What an earlier job committed: it would look like progress of this one."""
    try:
        found = admin.delete_consumer_groups([group])
    except CoordinatorNotAvailableError:  # nobody has committed anything to this broker yet
        return
    for _, error in found:
        if error not in (NoError, GroupIdNotFoundError):
            raise error(f"{group} could not be forgotten")


def _committed(admin: KafkaAdminClient, topic: Topic, group: str) -> int:
    """Messages that the job's checkpoints have put behind it."""
    try:
        found = admin.list_consumer_group_offsets(group)
    except CoordinatorNotAvailableError:  # nobody has committed anything to this broker yet
        return 0
    return sum(max(0, place.offset) for part, place in found.items() if part.topic == topic.name)
