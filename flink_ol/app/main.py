"""The command line ``flink-ol``: which commands there are and an example of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from flink_ol import __version__
from flink_ol.app import (
    demo,
    explain_commands,
    feed,
    job_commands,
    model_commands,
    predict,
    replay,
    set_command,
    spec_commands,
    stack_commands,
    watch,
)
from flink_ol.app.errors import Guarded

app = typer.Typer(
    name="flink-ol",
    cls=Guarded,
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Streaming online learning on Apache Flink: a model learns from Kafka while it answers.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"flink-ol {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def _add(name: str, command: Callable[..., None], panel: str, example: str) -> None:
    app.command(name, epilog=f"Example:  {example}", rich_help_panel=panel)(command)


_SPEC, _STACK, _JOB = "Specification", "Local stack", "Job"
_STREAM, _MODEL = "Streams", "Models"
_add("init", spec_commands.init, _SPEC, "flink-ol init flights")
_add("validate", spec_commands.validate, _SPEC, "flink-ol validate flights.yaml")
_add("schema", spec_commands.schema, _SPEC, "flink-ol schema > flink-ol.schema.json")
_add("up", stack_commands.up, _STACK, "flink-ol up --task-managers 2")
_add("status", stack_commands.status, _STACK, "flink-ol status --json")
_add("down", stack_commands.down, _STACK, "flink-ol down")
_add("run", job_commands.run, _JOB, "flink-ol run flights.yaml --from latest")
_add("stop", job_commands.stop, _JOB, "flink-ol stop flights.yaml")
_add("rescale", job_commands.rescale, _JOB, "flink-ol rescale flights.yaml --workers 4")
_add(
    "set", set_command.set_settings, _JOB, "flink-ol set flights.yaml optimizer.learning_rate=0.005"
)
_add("feed", feed.feed, _STREAM, "flink-ol feed flights.yaml flights.ndjson.gz --rate 2000")
_add("predict", predict.predict, _STREAM, "flink-ol predict flights.yaml requests.ndjson")
_add("watch", watch.watch, _JOB, "flink-ol watch flights.yaml")
_add("snapshot", model_commands.snapshot, _MODEL, "flink-ol snapshot flights.yaml --out m.model")
_add("show", model_commands.show, _MODEL, "flink-ol show m.model --json")
_add("explain", explain_commands.explain, _MODEL, "flink-ol explain m.model --sample s.ndjson")
_add("diff", explain_commands.diff, _MODEL, "flink-ol diff monday.model tuesday.model")
_add("replay", replay.replay, _MODEL, "flink-ol replay flights.yaml flights.ndjson.gz --json")
_add("demo", demo.demo, "Start here", "flink-ol demo")
