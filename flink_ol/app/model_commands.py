"""``snapshot`` and ``show``: models as files."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from flink_ol.app.cluster import connection, load_spec
from flink_ol.app.errors import UsageError
from flink_ol.app.figures import metric_lines
from flink_ol.app.model_files import loaded
from flink_ol.app.options import FOLDER, AsJson, Folder, SpecPath
from flink_ol.app.progress import working
from flink_ol.client import Model

_STRONGEST = 10


def snapshot(
    spec_path: SpecPath,
    out: Annotated[Path, typer.Option(help="The file to write.", show_default=False)],
    now: Annotated[
        bool, typer.Option("--now", help="Ask the job for a new snapshot and wait for it.")
    ] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for a snapshot.")] = 60.0,
    folder: Folder = FOLDER,
    as_json: AsJson = False,
) -> None:
    """Write the newest model of a job to a file; the job need not run for it.

    The newest snapshot is that of the last completed checkpoint; --now asks for one of this moment.
    """
    from flink_ol.app.snapshots import newest

    spec = load_spec(spec_path, folder)
    if not out.absolute().parent.is_dir():
        raise UsageError(f"--out {out}: the folder {out.absolute().parent} does not exist")
    with working(f"reading the newest snapshot of {spec.name}"):
        model = newest(connection(spec), now, timeout)
    model.save(out)
    if as_json:
        typer.echo(orjson.dumps({"file": str(out), **_brief(model)}))
        return
    counted = _brief(model)["samples"]
    typer.echo(f"{out}: {spec.name} version {model.version.number:,} with {counted:,} samples")
    typer.echo(f"next   flink-ol show {out}")


def show(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A model file.")],
    as_json: AsJson = False,
) -> None:
    """Print what is in a model file: what it learned from, how well, its strongest weights."""
    model = loaded(file)
    if as_json:
        fields = {
            **model.metadata,
            **_brief(model),
            "weights": model.weights,
            "intercept": model.intercept,
            "ledger": model.metadata["ledger"],
        }
        typer.echo(orjson.dumps(fields, option=orjson.OPT_SERIALIZE_NUMPY))
        return
    for line in _lines(model):
        typer.echo(line)


def _brief(model: Model) -> dict[str, Any]:
    """What every JSON about a model begins with."""
    ledger = model.ledger.values()
    return {
        "job": model.metadata["job"],
        "epoch": model.version.epoch,
        "version": model.version.number,
        "samples": sum(account.samples for account in ledger),
        "dead_letters": sum(account.dead_letters for account in ledger),
        "metrics": model.metrics,
    }


def _lines(model: Model) -> list[str]:
    fields, brief = model.metadata, _brief(model)
    learning = fields["learning"]
    created = datetime.fromtimestamp(fields["created_ms"] / 1000, UTC)
    lines = [
        f"job       {brief['job']}, {learning['task']}, {learning['model']['family']} model with "
        f"{learning['optimizer']['name']}",
        f"version   {brief['version']:,} of epoch {brief['epoch']}",
        f"made      {created:%Y-%m-%d %H:%M:%S} UTC",
        f"samples   {brief['samples']:,} learned, {brief['dead_letters']:,} dead letters, "
        f"from {len(fields['ledger'])} partitions",
    ]
    if brief["metrics"]:
        lines += ["metrics   scored before learned:", *metric_lines(brief["metrics"])]
    shapes = {name: array.shape for name, array in model.snapshot.frame.arrays.items()}
    if "weights" not in shapes:
        lines.append("arrays    of the model and its optimizer:")
        width = max(map(len, shapes))
        lines += [
            f"  {n:<{width}} {' x '.join(map(str, shape))}" for n, shape in sorted(shapes.items())
        ]
    flat = {
        f"{name} [{label}]" if label else name: weight
        for name, weights in model.weights.items()
        for label, weight in (weights.items() if isinstance(weights, dict) else [("", weights)])
    }
    strongest = sorted(flat.items(), key=lambda item: -abs(item[1]))[:_STRONGEST]
    if strongest:
        lines.append(f"weights   {len(model.weights):,} features; the strongest:")
        width = max(len(name) for name, _ in strongest)
        lines += [f"  {name:<{width}} {weight:+.4f}" for name, weight in strongest]
    return lines
