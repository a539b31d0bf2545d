"""``up``, ``status``, ``down``: the local Kafka broker and Flink cluster."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
import typer
from rich.table import Table

from flink_ol.app.errors import FailureError
from flink_ol.app.flink_rest import FlinkRest
from flink_ol.app.job_health import Health, health
from flink_ol.app.options import FOLDER, AsJson, Folder
from flink_ol.app.progress import messages, working
from flink_ol.local.flink_files import TASK_HEAP
from flink_ol.local.stack import Stack, StackStatus


def up(
    folder: Folder = FOLDER,
    task_managers: Annotated[int, typer.Option(min=1, help="Flink's worker processes.")] = 1,
    slots: Annotated[int, typer.Option(min=1, help="Parallel tasks per worker process.")] = 4,
    heap: Annotated[
        int, typer.Option(min=128, help="MiB for the tasks of a worker process: large models.")
    ] = TASK_HEAP,
    kafka: Annotated[
        str | None,
        typer.Option(help="Use the broker at HOST:PORT, start none.", show_default=False),
    ] = None,
    rest_url: Annotated[
        str | None,
        typer.Option(help="Use the Flink cluster at http://HOST:PORT.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Start the local Kafka broker and Flink cluster."""
    stack = Stack(folder)
    with working("starting Kafka and Flink"):
        status = stack.up(
            task_managers=task_managers,
            slots=slots,
            heap_mib=heap,
            bootstrap_servers=kafka,
            rest_url=rest_url,
            progress=lambda text: messages.print(text, style="dim"),
        )
    if as_json:
        _print_json(status)
        return
    typer.echo(f"Kafka  {status.bootstrap_servers}")
    typer.echo(f"Flink  {status.rest_url}  (its web page; {status.slots} slots)")
    typer.echo("next: flink-ol run SPEC; flink-ol down ends it")


def status(folder: Folder = FOLDER, as_json: AsJson = False) -> None:
    """Show what runs of the local stack, its jobs, and what is wrong with them.

    Exit code 1 if not all of the stack runs.
    """
    found = Stack(folder).status()
    jobs = _jobs(found)
    if as_json:
        _print_json(found, jobs=[job.to_json() for job in jobs])
    else:
        table = Table(title=f"local stack in {found.folder}", title_justify="left")
        for heading in ("process", "pid", "state", "MiB"):
            table.add_column(heading, justify="left" if heading == "process" else "right")
        for member in found.members:
            state = "runs" if member.alive else "[red]ended[/red]"
            table.add_row(member.name, str(member.pid), state, str(member.memory_mib))
        messages_of(found, table)
        for member in found.members:
            if member.reason:
                remedy = "large models need `flink-ol down; flink-ol up --heap MIB`"
                alert = f"alert  {member.name}: {member.reason}; {remedy}"
                messages.print(alert, style="red", markup=False)
        for one in jobs:
            typer.echo(f"job    {one.job.name} is {one.job.state}, {one.restarts} restarts")
            for alert in one.alerts:
                messages.print(f"alert  {one.job.name}: {alert}", style="red", markup=False)
    if not found.running:
        raise typer.Exit(1)


def down(
    folder: Folder = FOLDER,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep Kafka's log, checkpoints and Flink's logs.")
    ] = False,
) -> None:
    """End the local stack and remove what it wrote."""
    with working("ending Flink and Kafka"):
        ended = Stack(folder).down(keep=keep)
    typer.echo(f"ended {len(ended)} processes" if ended else "nothing was running")


def messages_of(found: StackStatus, table: Table) -> None:
    """Print the table of processes and the addresses."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    console.print(table)
    console.print(f"Kafka  {found.bootstrap_servers}")
    console.print(f"Flink  {found.rest_url}  ({found.slots} slots)")
    if not found.running:
        console.print(
            f"not everything runs: `flink-ol down`, then `flink-ol up`; logs: {found.folder}"
        )


def _jobs(found: StackStatus) -> list[Health]:
    """The jobs that run; none where the cluster does not answer."""
    cluster = FlinkRest(found.rest_url)
    try:
        return [health(cluster, job) for job in cluster.jobs() if job.alive]
    except FailureError:
        return []


def _print_json(status: StackStatus, **more: Any) -> None:
    fields: dict[str, Any] = {
        "folder": str(status.folder),
        "bootstrap_servers": status.bootstrap_servers,
        "rest_url": status.rest_url,
        "running": status.running,
        "slots": status.slots,
        "memory_mib": status.memory_mib,
        "members": [
            {
                "name": m.name,
                "pid": m.pid,
                "alive": m.alive,
                "memory_mib": m.memory_mib,
                **({"reason": m.reason} if m.reason else {}),
            }
            for m in status.members
        ],
        **more,
    }
    typer.echo(orjson.dumps(fields))
