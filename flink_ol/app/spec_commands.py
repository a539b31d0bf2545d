"""``init``, ``validate``, ``schema``: the specification before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import orjson
import typer

from flink_ol.app.cluster import load_spec
from flink_ol.app.errors import UsageError
from flink_ol.app.options import FOLDER, AsJson, Folder, SpecPath
from flink_ol.app.progress import messages
from flink_ol.job.spec import Spec

_TEMPLATE = """\
# A flink_ol job: a model that learns from a Kafka topic while it answers prediction requests.
# Check it with `flink-ol validate {name}.yaml`; `flink-ol schema` prints every key there is.
# Values in ${{BRACES}} are filled in from the environment: ${{KAFKA_PASSWORD}}, ${{X:-default}}.

name: {name}  # names the job and its topics: {name}.samples, {name}.requests, {name}.predictions...

kafka:
  # 127.0.0.1:9092 also stands for the broker of the local stack (`flink-ol up`), on any port
  bootstrap_servers: 127.0.0.1:9092
  properties: {{}}  # passed to every client: security.protocol, sasl.mechanism, ...

samples:
  format: json  # {{"x": {{"feature": number, string or boolean, ...}}, "y": label}}, one a message
  partitions: 4  # fixed for the life of the job; at most this many workers have something to do

task: binary  # binary | multiclass | regression
classes: null  # multiclass: a number, or the list of labels; binary: two labels, negative first

model: {{family: linear}}

features:
  scale: standard  # standard | none: running mean and deviation, for numbers only
  intercept: true
  hash_bits: null  # n: feature names are hashed to 2^n; null: every name is a feature of its own

optimizer:  # sgd | adagrad | ftrl
  name: sgd
  learning_rate: 0.005
  intercept_learning_rate: 0.01

training:
  mode: local  # workers learn on replicas, and their updates are merged
  workers: 2
  batch_window_ms: 50  # longer: more throughput; shorter: fresher model

snapshots: {{interval_ms: 5000}}  # models on the topic {name}.snapshots, seen at checkpoints

checkpoints:
  interval_ms: 5000
  directory: null  # null: in the local stack's folder; file:///..., s3://..., hdfs://...
"""


def init(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The job's name.")],
    out: Annotated[
        Path | None,
        typer.Option(help="The file to write; default: NAME.yaml.", show_default=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
) -> None:
    """Write a commented specification."""
    text = _TEMPLATE.format(name=name)
    Spec.parse(text, f"init {name}")
    path = out or Path(f"{name}.yaml")
    if path.exists() and not force:
        raise UsageError(f"{path} exists: choose another with --out, or overwrite it with --force")
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
    typer.echo(f"wrote {path}")
    typer.echo(f"next: flink-ol validate {path}; flink-ol up; flink-ol run {path}")


def validate(spec_path: SpecPath, folder: Folder = FOLDER, as_json: AsJson = False) -> None:
    """Check a specification; exit code 2 and all problems at once if it is wrong."""
    spec = load_spec(spec_path, folder)
    if as_json:
        typer.echo(
            orjson.dumps(
                {
                    "name": spec.name,
                    "valid": True,
                    "hash": spec.hash,
                    "warnings": list(spec.warnings),
                    "bootstrap_servers": spec.kafka.bootstrap_servers,
                }
            )
        )
        return
    for warning in spec.warnings:
        messages.print(f"warning: {warning}", style="yellow")
    typer.echo(
        f"{spec_path} is valid: job {spec.name}, {spec.task}, {spec.model.family} model with "
        f"{spec.optimizer.name}, {spec.training.workers} workers on {spec.samples.partitions} "
        f"partitions, Kafka at {spec.kafka.bootstrap_servers}"
    )


def schema() -> None:
    """Print the JSON schema of specifications, for editors and other programs."""
    typer.echo(orjson.dumps(Spec.json_schema(), option=orjson.OPT_INDENT_2))
