"""Samples per second from a filled topic: dense JSON, checkpoints on, broker on the same cores."""

from __future__ import annotations

from typing import Any

from benchmarks.streamed import await_samples, streamed
from benchmarks.workloads import dense_json
from flink_ol.client import SampleWriter


def measure(samples: int, workers: int) -> dict[str, Any]:
    """Fill the topic, then let the job run through it; the rate is that of its middle part."""
    with streamed(
        "throughput",
        optimizer={"name": "sgd", "learning_rate": 0.005},
        training={"workers": workers},
        metrics={"interval_ms": 250},
    ) as job:
        with SampleWriter(job.connection) as writer:
            writer.send_many(dense_json(samples))
        before = job.cpu_seconds()
        job.submit()
        messages = await_samples(job, samples)
        after = job.cpu_seconds()
        memory = job.stack.status().memory_mib
    # the first part is the JVM's and the kernels' warm-up, the last an emptying topic
    middle = [m for m in messages if 0.25 * samples <= m["samples"] <= 0.95 * samples]
    first, last = middle[0], middle[-1]
    seconds = (last["time_ms"] - first["time_ms"]) / 1000
    return {
        "samples": samples,
        "workers": workers,
        "samples_per_s": round((last["samples"] - first["samples"]) / seconds),
        "cpu_us_per_sample": {
            kind: round((after[kind] - before[kind]) / samples * 1e6, 2) for kind in after
        },
        "memory_mib": memory,
        "log_loss": round(messages[-1]["metrics"]["log_loss"], 4),
    }
