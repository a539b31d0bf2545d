"""Where the running job spends its CPU time: the JVM by thread, the Python workers by function.

Threads are counted by the kernel, exactly. Python workers are sampled by py-spy, and what a worker
used is shared out by the samples; a stack counts for the innermost function that is known below.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks.environments import python_of
from benchmarks.measuring import cpu_seconds

_TICK = os.sysconf("SC_CLK_TCK")
_RATE = 100  # looks a second
# thread names as the kernel has them, 15 characters, against stages; the first that fits
JVM_STAGES = (
    ("Source Data Fet", "fetch"),
    ("Source: samples", "gather"),  # reads what was fetched, and sends it to Python
    ("trainer", "cross"),
    ("grpc-", "cross"),
    ("sequencer", "merge"),
    ("model", "fold"),
    ("kafka-producer", "emit"),
    ("sink_", "emit"),
    ("Source: weights", "emit"),
    ("C1 Compiler", "Java's compilers"),
    ("C2 Compiler", "Java's compilers"),
    ("GC Thread", "garbage collection"),
    ("G1 ", "garbage collection"),
    ("VM Thread", "garbage collection"),
)
PYTHON_STAGES = (
    (r"wire/batches\.py|operators/gathering\.py", "gather"),
    (r"wire/(frames|parts)\.py", "emit"),
    (r"wire/metrics\.py", "emit"),
    (r"wire/(updates|entries|tensors)\.py", "pack"),
    (r"wire/(\w+_samples|json_\w+|feature_rows|compression|arrow\w*|sparse_text)\.py", "decode"),
    (r"core/features/(sparse_text|number_rows|hashing|xxh64)\.py", "decode"),
    (r"core/sequencer/|operators/sequencer\.py", "merge"),
    (r"core/model/|operators/model\w*\.py|wire/model_file\.py", "fold"),
    (r"core/|operators/trainer\.py", "learn"),
    (r"pyflink/|apache_beam/|grpc/|threading\.py", "cross"),
)
OTHER_THREADS, OTHER_PYTHON = "other threads of the JVMs", "other Python"


class Place(NamedTuple):
    """CPU seconds between two looks, by process kind and stage."""

    java: dict[str, float]
    python: dict[str, float]
    unmatched: dict[str, float]  # threads of the JVM that no stage claims, by name
    began_ms: float
    ended_ms: float


def look(java: list[psutil.Process], seconds: float) -> Place:
    """Watch the JVMs and all that they started for ``seconds``."""
    workers = [
        child
        for process in java
        for child in process.children(recursive=True)
        if "python" in child.name()
    ]
    began_ms = time.time() * 1000
    before = {process.pid: thread_seconds(process.pid) for process in java}
    cpu = {worker.pid: cpu_seconds(worker) for worker in workers}
    with tempfile.TemporaryDirectory(prefix="flink-ol-bench-") as folder:
        spies = [_spy(worker.pid, seconds, Path(folder)) for worker in workers]
        time.sleep(seconds)
        spent = {worker.pid: cpu_seconds(worker) - cpu[worker.pid] for worker in workers}
        by_thread: dict[str, float] = defaultdict(float)
        for process in java:
            after = thread_seconds(process.pid)
            for identity, (name, total) in after.items():
                begun = before[process.pid].get(identity, (name, 0.0))[1]
                by_thread[name] += total - begun
        ended_ms = time.time() * 1000  # py-spy takes its time to write down what it saw
        python: dict[str, float] = defaultdict(float)
        for worker, spy in zip(workers, spies, strict=True):
            spy.communicate(timeout=60)
            raw = Path(folder) / str(worker.pid)
            counted = stacks(raw.read_text() if raw.exists() else "")
            total = sum(counted.values()) or 1
            for stage, count in counted.items():
                python[stage] += spent[worker.pid] * count / total
            if not counted:
                python[OTHER_PYTHON] += spent[worker.pid]
    staged: dict[str, float] = defaultdict(float)
    unmatched: dict[str, float] = {}
    for name, total in by_thread.items():
        stage = next((s for prefix, s in JVM_STAGES if name.startswith(prefix)), OTHER_THREADS)
        if stage == OTHER_THREADS:
            unmatched[name] = total
        staged[stage] += total
    return Place(dict(staged), dict(python), unmatched, began_ms, ended_ms)


def thread_seconds(pid: int) -> dict[int, tuple[str, float]]:
    """CPU seconds of each thread so far, with its name, by its number."""
    found = {}
    for folder in Path(f"/proc/{pid}/task").iterdir():
        try:
            text = (folder / "stat").read_text()
        except OSError:
            continue  # it has just ended
        # the name stands in brackets and may hold anything, brackets too
        name, rest = text[text.index("(") + 1 : text.rindex(")")], text[text.rindex(")") + 2 :]
        fields = rest.split()
        found[int(folder.name)] = (name, (int(fields[11]) + int(fields[12])) / _TICK)
    return found


def stacks(raw: str) -> dict[str, int]:
    """Samples by stage from py-spy's raw output: ``outer;...;inner count`` a line."""
    counted: Counter[str] = Counter()
    for line in raw.splitlines():
        stack, _, count = line.rpartition(" ")
        counted[_stage(stack.split(";"))] += int(count)
    return dict(counted)


def _stage(frames: list[str]) -> str:
    for frame in reversed(frames):
        for pattern, stage in PYTHON_STAGES:
            if re.search(pattern, frame):
                return stage
    return OTHER_PYTHON


def _spy(pid: int, seconds: float, folder: Path) -> subprocess.Popen[bytes]:
    spy = python_of("profile").with_name("py-spy")
    options = ["--format", "raw", "--rate", str(_RATE), "--nonblocking", "--full-filenames"]
    duration = ["--duration", str(max(1, round(seconds)))]
    return subprocess.Popen(
        [str(spy), "record", *options, *duration, "--pid", str(pid), "-o", str(folder / str(pid))],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
