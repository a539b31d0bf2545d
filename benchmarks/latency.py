"""Time from a request to its prediction while the job learns at a steady rate."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import orjson

from benchmarks.streamed import await_samples, streamed
from benchmarks.workloads import dense_json
from flink_ol.client import Connection, MetricsReader, Predictor, SampleWriter

_WARM_UP_S = 40  # Java's compiler takes a good part of a core until then


def measure(
    rate: int, seconds: int, workers: int, window_ms: int, weights_ms: int
) -> dict[str, Any]:
    """Ask one request at a time, about 20 a second, at ``rate`` samples per second."""
    warm_up = _WARM_UP_S * rate
    records = dense_json(warm_up + rate * (seconds + 5))
    with streamed(
        "latency",
        optimizer={"name": "sgd", "learning_rate": 0.005},
        training={"workers": workers, "batch_window_ms": window_ms},
        weights={"interval_ms": weights_ms},
        metrics={"interval_ms": 250},
    ) as job:
        job.submit()
        with SampleWriter(job.connection) as writer:
            writer.send_many(records[:rate])
        await_samples(job, rate)  # from here on the workers are up
        with SampleWriter(job.connection, rate=rate) as writer:
            feeding = threading.Thread(target=writer.send_many, args=(records,), daemon=True)
            feeding.start()
            await_samples(job, warm_up)
            waits, versions = _ask(job.connection, records, seconds)
            lags = [m["time_ms"] - m["newest_ms"] for m in _recent(job.connection, seconds)]
            feeding.join()
    return {
        "rate": rate,
        "workers": workers,
        "window_ms": window_ms,
        "weights_ms": weights_ms,
        "requests": len(waits),
        "request_to_prediction_ms": _quantiles(waits),
        "sample_to_model_ms": _quantiles(lags),
        "versions_per_s": round((max(versions) - min(versions)) / seconds, 1),
    }


def _ask(
    connection: Connection, records: list[bytes], seconds: int
) -> tuple[list[float], list[int]]:
    waits, versions = [], []
    with Predictor(connection) as predictor:
        deadline = time.monotonic() + seconds
        for record in records:
            if time.monotonic() > deadline:
                break
            began = time.monotonic()
            (answer,) = predictor.ask([{"x": orjson.loads(record)["x"]}])
            waits.append((time.monotonic() - began) * 1000)
            versions.append(answer["model"]["version"])
            time.sleep(0.03)
    return waits, versions


def _recent(connection: Connection, seconds: int) -> list[dict[str, Any]]:
    """The metrics messages of the last ``seconds``."""
    with MetricsReader(connection) as reader:
        messages = reader.all()
    since = messages[-1]["time_ms"] - 1000 * seconds
    return [message for message in messages if message["time_ms"] >= since]


def _quantiles(values: list[float]) -> dict[str, float]:
    p50, p99 = np.percentile(values, [50, 99])
    return {"p50": round(float(p50), 1), "p99": round(float(p99), 1)}
