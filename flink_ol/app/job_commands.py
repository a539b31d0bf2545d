"""``run``, ``stop`` and ``rescale``: the job on the Flink cluster."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from flink_ol.app import recovery_points
from flink_ol.app.cluster import flink, load_spec
from flink_ol.app.errors import FailureError
from flink_ol.app.flink_rest import FlinkRest, Job
from flink_ol.app.options import FOLDER, AsJson, Folder, RestUrl, SpecPath
from flink_ol.app.progress import messages, working
from flink_ol.job.spec import Spec
from flink_ol.local.stack_record import StackRecord

_MOST_WORKERS = 128


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
    from flink_ol.job.start_model import start_model  # with the kernels

    spec = load_spec(spec_path, folder)
    _warn(spec)
    cluster = flink(folder, rest_url)
    if running := cluster.alive(spec.name):
        raise FailureError(
            f"a job named {spec.name} is {running.state} already ({running.id}): "
            f"stop it with `flink-ol stop {spec_path}`, or give this one another name"
        )
    _check_slots(cluster, spec.training.workers, 0)
    _check_heap(spec, cluster, folder)
    restore = None
    if start_from:
        restore = recovery_points.resolve(start_from, spec, folder, cluster)
        _tell_changes(recovery_points.check(restore, spec))
    start_model(spec)  # refused here, it says so without Flink's words around it
    job_id = _started(spec_path, spec, folder, cluster, restore, timeout)
    page = f"{cluster.url}/#/job/{job_id}/overview"
    if as_json:
        _print({"job_id": job_id, "name": spec.name, "from": restore, "page": page})
        return
    typer.echo(f"{spec.name} runs as job {job_id}")
    if restore:
        typer.echo(f"from   {restore}")
    typer.echo(f"page   {page}")
    typer.echo(f"next   flink-ol feed {spec_path} FILE; flink-ol watch {spec_path}")


def stop(
    spec_path: SpecPath,
    savepoint: Annotated[
        bool,
        typer.Option(
            "--savepoint/--no-savepoint",
            help="Take a savepoint first; without, the last checkpoint is what stays.",
        ),
    ] = True,
    rest_url: RestUrl = None,
    folder: Folder = FOLDER,
    timeout: Annotated[float, typer.Option(help="Seconds for the savepoint.")] = 120.0,
    as_json: AsJson = False,
) -> None:
    """Stop the job with a savepoint, from which run --from latest goes on."""
    spec = load_spec(spec_path, folder)
    cluster = flink(folder, rest_url)
    job = _running(cluster, spec)
    if savepoint:
        place: str | None = _stopped(cluster, job, spec, folder, timeout)
        told = f"savepoint {place}"
    else:
        with working(f"ending {spec.name}"):
            cluster.cancel(job.id)
            cluster.wait_for(job.id, "CANCELED", timeout)
        place, told = None, "without a savepoint: samples since the last checkpoint come again"
    if as_json:
        _print({"job_id": job.id, "name": spec.name, "savepoint": place})
        return
    typer.echo(f"{spec.name} stopped; {told}")
    typer.echo(f"next   flink-ol run {spec_path} --from latest")


def rescale(
    spec_path: SpecPath,
    workers: Annotated[
        int, typer.Option(min=1, max=_MOST_WORKERS, help="Parallel trainers.", show_default=False)
    ],
    rest_url: RestUrl = None,
    folder: Folder = FOLDER,
    timeout: Annotated[float, typer.Option(help="Seconds for each of stop and start.")] = 120.0,
    as_json: AsJson = False,
) -> None:
    """Stop the job with a savepoint and go on from it with another number of workers.

    Everything that could refuse the new job is checked before the old one is stopped. The file
    SPEC stays as it is: change training.workers there too, or the next run has the old number.
    """
    written = load_spec(spec_path, folder)
    training = dataclasses.replace(written.training, workers=workers)
    spec = written.model_copy(update={"training": training})
    cluster = flink(folder, rest_url)
    job = _running(cluster, spec)
    _check_slots(cluster, workers, cluster.slots_of(job.id))
    _check_heap(spec, cluster, folder)
    _tell_changes(recovery_points.check_running(job.id, spec, folder))
    savepoint = _stopped(cluster, job, spec, folder, timeout)
    try:
        job_id = _started(spec_path, spec, folder, cluster, savepoint, timeout)
    except FailureError as error:
        raise FailureError(
            f"{error}\n{spec.name} is stopped, nothing is lost: "
            f"`flink-ol run {spec_path} --from {savepoint}` goes on"
        ) from error
    if as_json:
        _print({"job_id": job_id, "name": spec.name, "workers": workers, "from": savepoint})
        return
    typer.echo(f"{spec.name} runs with {workers} workers as job {job_id}")
    typer.echo(f"from   {savepoint}")
    if written.training.workers != workers:
        typer.echo(f"note   {spec_path} still says training.workers {written.training.workers}")


def _running(cluster: FlinkRest, spec: Spec) -> Job:
    job = cluster.alive(spec.name)
    if job is None:
        raise FailureError(f"no job named {spec.name} runs at {cluster.url}")
    return job


def _check_slots(cluster: FlinkRest, wanted: int, own: int) -> None:
    """``own``: slots that the job holds now and will have given back."""
    free = int(cluster.overview()["slots-available"]) + own
    if free < wanted:
        raise FailureError(
            f"training.workers is {wanted}, and the cluster has {free} free slots: "
            "lower it, stop other jobs, or start the stack with more (`flink-ol up --slots N`)"
        )


def _check_heap(spec: Spec, cluster: FlinkRest, folder: Path) -> None:
    from flink_ol.app.job_memory import check_heap  # with numpy

    record = StackRecord.read(folder)
    local = record is not None and not record.external_cluster and record.rest_url == cluster.url
    if warning := check_heap(spec, cluster, local):
        _tell_warning(warning)


def _stopped(cluster: FlinkRest, job: Job, spec: Spec, folder: Path, timeout: float) -> str:
    with working(f"taking a savepoint of {spec.name}"):
        place = recovery_points.savepoints(spec, folder)
        savepoint = cluster.stop_with_savepoint(job.id, place, timeout)
        cluster.wait_for(job.id, "FINISHED", timeout)
    recovery_points.remember(savepoint, spec, job.id, folder)
    return savepoint


def _started(
    path: Path, spec: Spec, folder: Path, cluster: FlinkRest, restore: str | None, timeout: float
) -> str:
    from flink_ol.app.job_submission import submit  # keeps the other commands quick to start

    with working(f"submitting {spec.name}"):
        job_id = submit(path, spec, folder, cluster.url, restore)
    with working(f"waiting until {spec.name} runs"):
        cluster.wait_until_running(job_id, timeout)
    return job_id


def _warn(spec: Spec) -> None:
    for warning in spec.warnings:
        _tell_warning(warning)


def _tell_warning(warning: str) -> None:
    messages.print(f"warning: {warning}", style="yellow", markup=False)


def _tell_changes(changes: list[str]) -> None:
    for change in changes:
        messages.print(f"changed since: {change}", style="dim", markup=False)


def _print(fields: dict[str, Any]) -> None:
    typer.echo(orjson.dumps(fields))
