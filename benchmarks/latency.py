"""Time to a prediction while the job learns at a steady rate: from a request, and from a sample."""

from __future__ import annotations

import bisect
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from typing import Any, NamedTuple

import numpy as np
import orjson

from benchmarks.streamed import await_samples, streamed
from benchmarks.workloads import dense_json
from flink_ol.client import Connection, MetricsReader, Predictor, SampleWriter

_WARM_UP_S = 40  # Java's compiler takes a good part of a core until then
_DIFFERENT = 1_000_000  # records, again and again
_TURN_S = 0.02  # how finely the rate is kept


class Answer(NamedTuple):
    """One prediction that was asked for."""

    at_ms: float  # since the epoch, when it was there
    wait_ms: float
    version: int


def measure(
    rate: int, seconds: int, workers: int, window_ms: int, weights_ms: int
) -> dict[str, Any]:
    """Ask one request at a time, about 20 a second, at ``rate`` samples per second."""
    records = dense_json(min(_DIFFERENT, (_WARM_UP_S + seconds + 5) * rate))
    with streamed(
        "latency",
        optimizer={"name": "sgd", "learning_rate": 0.005},
        training={"workers": workers, "batch_window_ms": window_ms},
        weights={"interval_ms": weights_ms},
        metrics={"interval_ms": 50},
    ) as job:
        job.submit()
        with SampleWriter(job.connection) as writer:
            writer.send_many(records[:1000])
        await_samples(job, 1000)  # from here on the workers are up
        with _fed(job.connection, records, rate):
            await_samples(job, _WARM_UP_S * rate)
            answers = _ask(job.connection, records, seconds)
        told = _recent(job.connection, seconds)
    versions = [answer.version for answer in answers]
    return {
        "rate": rate,
        "learned_per_s": _rate(told),
        "workers": workers,
        "window_ms": window_ms,
        "weights_ms": weights_ms,
        "requests": len(answers),
        "request_to_prediction_ms": quantiles([answer.wait_ms for answer in answers]),
        "sample_to_model_ms": quantiles([m["time_ms"] - m["newest_ms"] for m in told]),
        "sample_to_prediction_ms": quantiles(knowing(answers, told)),
        "versions_per_s": round((max(versions) - min(versions)) / seconds, 1),
    }


@contextmanager
def _fed(connection: Connection, records: list[bytes], rate: int) -> Iterator[None]:
    """Samples come for as long as the block takes.

    From a process of their own: in ours, who asks would wait for who feeds.
    """
    processes = get_context("spawn")
    over = processes.Event()
    feeding = processes.Process(target=_feed, args=(connection, records, rate, over), daemon=True)
    feeding.start()
    try:
        yield
    finally:
        over.set()
        feeding.join()


def _feed(connection: Connection, records: list[bytes], rate: int, over: Event) -> None:
    """Blocks of records, as many as are due: one call a record would take a core."""
    began, sent = time.monotonic(), 0
    with SampleWriter(connection, linger_ms=1) as writer:
        while not over.wait(_TURN_S):
            due = int((time.monotonic() - began) * rate) - sent
            place = sent % len(records)
            block = records[place : place + due]
            writer.send_many(block)
            sent += len(block)


def _ask(connection: Connection, records: list[bytes], seconds: int) -> list[Answer]:
    answers = []
    with Predictor(connection) as predictor:
        deadline = time.monotonic() + seconds
        for record in records:
            if time.monotonic() > deadline:
                break
            began = time.monotonic()
            (answer,) = predictor.ask([{"x": orjson.loads(record)["x"]}])
            wait_ms = (time.monotonic() - began) * 1000
            answers.append(Answer(time.time() * 1000, wait_ms, answer["model"]["version"]))
            time.sleep(0.03)
    return answers


def _recent(connection: Connection, seconds: int) -> list[dict[str, Any]]:
    """The metrics messages of the last ``seconds``."""
    with MetricsReader(connection) as reader:
        messages = reader.all()
    since = messages[-1]["time_ms"] - 1000 * seconds
    return [message for message in messages if message["time_ms"] >= since]


def knowing(answers: list[Answer], told: list[dict[str, Any]], step_ms: int = 10) -> list[float]:
    """From the time a sample was produced to the first answer of a model that contains it.

    For a sample at every ``step_ms``, milliseconds. A model contains what its newest sample is
    not older than: ``newest_ms`` of the last message about a version that is not above its own.
    """
    versions = [message["model"]["version"] for message in told]
    known: list[tuple[float, float]] = []  # (newest sample, time of the answer), both increasing
    for answer in answers:
        place = bisect.bisect_right(versions, answer.version)
        if place == 0:
            continue
        newest = float(told[place - 1]["newest_ms"])
        if not known or newest > known[-1][0]:
            known.append((newest, answer.at_ms))
    if len(known) < 2:
        return []
    samples = np.arange(known[0][0] + 1, known[-1][0], step_ms)
    first = np.searchsorted([newest for newest, _ in known], samples)
    return list(np.array([at_ms for _, at_ms in known])[first] - samples)


def quantiles(values: list[float]) -> dict[str, float] | None:
    """p50 and p99, to a tenth; None if there is nothing."""
    if not values:
        return None
    p50, p99 = np.percentile(values, [50, 99])
    return {"p50": round(float(p50), 1), "p99": round(float(p99), 1)}


def _rate(told: list[dict[str, Any]]) -> int:
    first, last = told[0], told[-1]
    return round(
        1000 * (last["samples"] - first["samples"]) / max(1, last["time_ms"] - first["time_ms"])
    )
