"""``demo``: the whole thing on a real year of flights, and an orderly end whatever happens."""

from __future__ import annotations

import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from flink_ol.app import demo_report, example
from flink_ol.app.cluster import connection, flink, load_spec, make_topics
from flink_ol.app.demo_stream import stream
from flink_ol.app.example import Example
from flink_ol.app.snapshots import newest
from flink_ol.job.spec import Spec
from flink_ol.local.stack import Stack

_SNAPSHOT_S = 60.0
_BLOCK = 4096


def demo(
    flights: Annotated[
        int | None,
        typer.Option(min=1000, help="Only the first so many flights.", show_default=False),
    ] = None,
    rate: Annotated[int, typer.Option(min=100, help="Flights fed per second.")] = 9000,
) -> None:
    """Start everything, learn from a year of flights while it answers, and stop everything.

    The question: will this flight arrive more than 15 minutes late, asked as it leaves the gate?
    """
    example.spec_path()
    console = Console(highlight=False, soft_wrap=True)
    with _terminated_as_interrupted(), _folder() as folder:
        stack = Stack(folder)
        try:
            _play(console, stack, flights, rate)
        except KeyboardInterrupt:
            console.print("\ninterrupted")
            raise
        finally:
            with _undisturbed():
                console.print("Stopping the job, Flink and Kafka ...", style="dim")
                ended = stack.down(grace_s=3.0)
                console.print(
                    f"{len(ended)} processes ended; nothing was left behind.", style="dim"
                )


def _play(console: Console, stack: Stack, flights: int | None, rate: int) -> None:
    began = time.monotonic()
    say = demo_report.Teller(console)
    with ThreadPoolExecutor(1) as pool:
        reading: Future[Example] = pool.submit(example.load)
        say.act("A Kafka broker and a Flink cluster are started, only for this demo")
        status = stack.up(slots=2, progress=lambda text: None)
        say.fact(f"Kafka at {status.bootstrap_servers}, Flink at {status.rest_url}")
        year = reading.result()
    samples = year.samples[:flights]

    spec = load_spec(year.spec, stack.folder)
    make_topics(spec)
    say.act("The job is handed to Flink")
    job_id = _submit(year.spec, spec, stack.folder)
    say.fact(
        f"job {job_id}: {spec.training.workers} workers learn from "
        f"{spec.samples.partitions} partitions of the topic {spec.topics.samples}"
    )

    say.fact(f"question: more than 15 minutes late at the destination? ({year.left_out})")
    say.act("The first flights make Flink start its Python workers")
    streamed = stream(
        console,
        spec,
        samples,
        rate,
        lambda: say.act(f"{len(samples):,} flights of 2013 flow through, {rate:,} a second"),
    )
    say.answers(streamed.answered)

    say.act("The final model is read from Kafka and compared")
    model = newest(connection(spec), now=True, timeout_s=_SNAPSHOT_S)
    replayed = _replay(spec, samples)
    compared = demo_report.compare(model, replayed, samples, streamed.sent)
    say.comparison(compared)
    say.summary(compared, streamed, time.monotonic() - began)


def _submit(path: Path, spec: Spec, folder: Path) -> str:
    from flink_ol.app.job_submission import submit

    cluster = flink(folder, None)
    job_id = submit(path, spec, folder, cluster.url, None)
    cluster.wait_until_running(job_id, 120.0)
    return job_id


def _replay(spec: Spec, samples: list[bytes]) -> Any:
    from flink_ol.app.replay import run

    return run(spec, (samples[i : i + _BLOCK] for i in range(0, len(samples), _BLOCK)))


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="flink-ol-demo-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM ends the demo as ctrl-C does, so that it, too, leaves nothing running."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """A second ctrl-C does not break off the cleaning up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    names = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(name, signal.SIG_IGN) for name in names]
    try:
        yield
    finally:
        for name, handler in zip(names, before, strict=True):
            signal.signal(name, handler)
