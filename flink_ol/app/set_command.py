"""``set``: other learning rates and regularisation for a job that runs."""

from __future__ import annotations

import time
from typing import Annotated, Any

import orjson
import typer

from flink_ol.app.cluster import connection, load_spec
from flink_ol.app.errors import FailureError, UsageError
from flink_ol.app.options import FOLDER, AsJson, Folder, SpecPath
from flink_ol.app.progress import working


def set_settings(
    spec_path: SpecPath,
    settings: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME=VALUE...",
            help="Settings of optimizer and model by their names in the specification.",
        ),
    ],
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the job's answer.")] = 60.0,
    folder: Folder = FOLDER,
    as_json: AsJson = False,
) -> None:
    """Let a running job learn with other rates or regularisation from now on.

    The specification stays as it is; what was set lasts through restarts, until it is set again.
    """
    from flink_ol.app.answers import ask

    values = parsed(settings)
    spec = load_spec(spec_path, folder)
    with working(f"waiting for the answer of {spec.name}"):
        hint = "and it may still obey when it does"
        deadline = time.monotonic() + timeout
        message = ask(connection(spec), "set", deadline, hint, values)
    if reason := message["command"].get("refused"):
        raise FailureError(f"{spec.name} refused: {reason}")
    epoch, version = message["model"]["epoch"], message["model"]["version"]
    overrides = message.get("overrides", {})
    if as_json:
        told = {"job": spec.name, "epoch": epoch, "version": version, "overrides": overrides}
        typer.echo(orjson.dumps(told))
        return
    typer.echo(f"{spec.name} learns by it from version {version:,} on")
    for name, value in overrides.items():
        typer.echo(f"  {name} = {orjson.dumps(value).decode()}")
    if not overrides:
        typer.echo("  everything as in the specification")


def parsed(settings: list[str]) -> dict[str, Any]:
    """``NAME=VALUE`` each, the value a number or null. Raises UsageError."""
    values: dict[str, Any] = {}
    for setting in settings:
        name, _, text = setting.partition("=")
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            value = text
        if not name or isinstance(value, str | bool | dict | list):
            raise UsageError(
                f"{setting}: give NAME=VALUE with a number (or null for none), "
                "as in optimizer.learning_rate=0.005"
            )
        if name in values:
            raise UsageError(f"{name} is given twice: give every setting once")
        values[name] = value
    return values
