"""``run`` and ``stop``: the job on the Flink cluster."""

from __future__ import annotations

from typing import Annotated

import orjson
import typer

from flink_ol.app import recovery_points
from flink_ol.app.cluster import flink, load_spec
from flink_ol.app.errors import FailureError
from flink_ol.app.options import FOLDER, AsJson, Folder, RestUrl, SpecPath
from flink_ol.app.progress import messages, working


def run(
    spec_path: SpecPath,
    start_from: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="latest|PATH",
            help="Go on from the newest checkpoint or savepoint of this job, or from a path.",
            show_default=False,
        ),
    ] = None,
    rest_url: RestUrl = None,
    folder: Folder = FOLDER,
    timeout: Annotated[float, typer.Option(help="Seconds until the job must run.")] = 120.0,
    as_json: AsJson = False,
) -> None:
    """Submit the job, detached, and return when it runs."""
    from flink_ol.app.job_submission import submit  # keeps the other commands quick to start

    spec = load_spec(spec_path, folder)
    for warning in spec.warnings:
        messages.print(f"warning: {warning}", style="yellow")
    cluster = flink(folder, rest_url)
    if running := cluster.alive(spec.name):
        raise FailureError(
            f"a job named {spec.name} is {running.state} already ({running.id}): "
            f"stop it with `flink-ol stop {spec_path}`, or give this one another name"
        )
    free = int(cluster.overview()["slots-available"])
    if free < spec.training.workers:
        raise FailureError(
            f"training.workers is {spec.training.workers}, and the cluster has {free} free slots: "
            "lower it, stop other jobs, or start the stack with more (`flink-ol up --slots N`)"
        )
    restore = recovery_points.resolve(start_from, spec, folder) if start_from else None
    with working(f"submitting {spec.name}"):
        job_id = submit(spec_path, spec, folder, cluster.url, restore)
    with working(f"waiting until {spec.name} runs"):
        cluster.wait_until_running(job_id, timeout)
    page = f"{cluster.url}/#/job/{job_id}/overview"
    if as_json:
        typer.echo(
            orjson.dumps({"job_id": job_id, "name": spec.name, "from": restore, "page": page})
        )
        return
    typer.echo(f"{spec.name} runs as job {job_id}")
    if restore:
        typer.echo(f"from   {restore}")
    typer.echo(f"page   {page}")
    typer.echo(f"next   flink-ol feed {spec_path} FILE; flink-ol watch {spec_path}")


def stop(
    spec_path: SpecPath,
    rest_url: RestUrl = None,
    folder: Folder = FOLDER,
    timeout: Annotated[float, typer.Option(help="Seconds for the savepoint.")] = 120.0,
    as_json: AsJson = False,
) -> None:
    """Stop the job with a savepoint, from which ``run --from latest`` goes on."""
    spec = load_spec(spec_path, folder)
    cluster = flink(folder, rest_url)
    job = cluster.alive(spec.name)
    if job is None:
        raise FailureError(f"no job named {spec.name} runs at {cluster.url}")
    with working(f"taking a savepoint of {spec.name}"):
        savepoint = cluster.stop_with_savepoint(
            job.id, recovery_points.savepoints(spec, folder), timeout
        )
        cluster.wait_for(job.id, "FINISHED", timeout)
    if as_json:
        typer.echo(orjson.dumps({"job_id": job.id, "name": spec.name, "savepoint": savepoint}))
        return
    typer.echo(f"{spec.name} stopped; savepoint {savepoint}")
    typer.echo(f"next   flink-ol run {spec_path} --from latest")
