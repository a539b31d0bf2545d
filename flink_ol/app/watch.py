"""``watch``: how a running job learns, live."""

from __future__ import annotations

import sys
import time
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.live import Live

from flink_ol.app import live_table
from flink_ol.app.cluster import connection, flink_if_known, load_spec
from flink_ol.app.errors import FailureError
from flink_ol.app.flink_rest import FlinkRest
from flink_ol.app.live_table import Cluster, Course
from flink_ol.app.options import FOLDER, AsJson, Folder, RestUrl, SpecPath
from flink_ol.client import MetricsReader

Message = dict[str, Any]

_REFRESH_S = 0.5
_CLUSTER_EVERY_S = 2.0


def watch(
    spec_path: SpecPath,
    for_seconds: Annotated[
        float | None,
        typer.Option("--for", help="End after so many seconds.", show_default=False),
    ] = None,
    rest_url: RestUrl = None,
    folder: Folder = FOLDER,
    as_json: AsJson = False,
) -> None:
    """Show samples, rate, metrics, version and dead letters of a running job; ctrl-C ends it.

    With --json every metrics message is printed as it comes, one JSON object a line.
    """
    spec = load_spec(spec_path, folder)
    ends = None if for_seconds is None else time.monotonic() + for_seconds
    with MetricsReader(connection(spec)) as reader:
        try:
            newest = reader.latest()
            first = [] if newest is None else [newest]
            if as_json:
                _print(reader, first, ends)
            else:
                _show(spec.name, reader, first, flink_if_known(folder, rest_url), ends)
        except KeyboardInterrupt:
            return  # the way to end it, not an error


def _print(reader: MetricsReader, news: list[Message], ends: float | None) -> None:
    while True:
        for message in news:
            sys.stdout.buffer.write(orjson.dumps(message) + b"\n")
        sys.stdout.flush()
        if ends is not None and time.monotonic() > ends:
            return
        news = reader.poll(_REFRESH_S)


def _show(
    name: str,
    reader: MetricsReader,
    news: list[Message],
    rest: FlinkRest | None,
    ends: float | None,
) -> None:
    console = Console()
    course, cluster, looked = Course(), None, 0.0
    with Live(console=console, auto_refresh=False, screen=False) as live:
        while True:
            for message in news:
                course.add(message)
            if rest is not None and time.monotonic() - looked > _CLUSTER_EVERY_S:
                cluster, looked = look(rest, name), time.monotonic()
            if console.is_terminal:
                live.update(live_table.table(name, course, cluster), refresh=True)
            elif news:
                console.print(live_table.line(course), soft_wrap=True)
            if ends is not None and time.monotonic() > ends:
                return
            news = reader.poll(_REFRESH_S)


def look(rest: FlinkRest, name: str) -> Cluster | None:
    """What the cluster says of the job; None while it says nothing."""
    try:
        job = next((job for job in rest.jobs() if job.name == name), None)
        if job is None:
            return Cluster("not on the cluster", 0, 0)
        counts = rest.checkpoints(job.id)["counts"]
        return Cluster(job.state, rest.restarts(job.id), int(counts["completed"]))
    except FailureError:
        return None
