"""Samples per second from a filled topic: dense JSON, checkpoints on, broker on the same cores."""

from __future__ import annotations

import itertools
import time
from typing import Any

from benchmarks.streamed import await_samples, streamed
from benchmarks.workloads import dense_json
from flink_ol.client import SampleWriter

REPEATED = 2_000_000  # so many different records, again and again: memory is for the job


def measure(samples: int, workers: int, window_ms: int, weights_ms: int) -> dict[str, Any]:
    """Fill the topic, then let the job run through it; figures are of its second half.

    The first half is the warm-up: Java's compiler alone takes ten seconds of one core.
    """
    with streamed(
        "throughput",
        optimizer={"name": "sgd", "learning_rate": 0.005},
        training={"workers": workers, "batch_window_ms": window_ms},
        metrics={"interval_ms": 250},
        weights={"interval_ms": weights_ms},
    ) as job:
        records = dense_json(min(samples, REPEATED))
        with SampleWriter(job.connection) as writer:
            for start in range(0, samples, REPEATED):
                writer.send_many(records[: samples - start])
        del records
        job.submit()
        messages = await_samples(job, samples // 2)
        before, first = job.cpu_seconds(), messages[-1]
        messages = await_samples(job, int(0.95 * samples))
        after, last = job.cpu_seconds(), messages[-1]
        memory = job.stack.status().memory_mib
    learned = last["samples"] - first["samples"]
    rates = [
        1000 * (b["samples"] - a["samples"]) / (b["time_ms"] - a["time_ms"])
        for a, b in itertools.pairwise(messages)
    ]
    return {
        "samples": samples,
        "workers": workers,
        "window_ms": window_ms,
        "weights_ms": weights_ms,
        "loop_s": round(_loop_s(), 2),
        "samples_per_s": round(learned / (last["time_ms"] - first["time_ms"]) * 1000),
        "best_quarter_second": round(max(rates, default=0.0)),
        "cpu_us_per_sample": {
            kind: round((after[kind] - before[kind]) / learned * 1e6, 2) for kind in after
        },
        "memory_mib": memory,
        "log_loss": round(last["metrics"]["log_loss"], 4),
    }


def _loop_s() -> float:
    """Seconds for a fixed loop of plain Python: how fast the machine is just now."""
    began, total = time.perf_counter(), 0
    for i in range(6_000_000):
        total += i * i
    return time.perf_counter() - began
