"""``explain`` and ``diff``: why a model answers as it does, and what changed between two."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from flink_ol.app.cluster import load_spec
from flink_ol.app.errors import UsageError
from flink_ol.app.model_files import loaded
from flink_ol.app.options import FOLDER, AsJson, Folder
from flink_ol.app.records import Records
from flink_ol.client import Model
from flink_ol.core.fields import Section

Top = Annotated[int, typer.Option(min=1, help="How many features to print.")]


def explain(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A model file.")],
    sample: Annotated[
        str | None,
        typer.Option(help="Records or requests to explain the answers to.", show_default=False),
    ] = None,
    spec_path: Annotated[
        Path | None,
        typer.Option("--spec", help="Says the format of the records; default: JSON, x: {...}."),
    ] = None,
    top: Top = 10,
    folder: Folder = FOLDER,
    as_json: AsJson = False,
) -> None:
    """Print the strongest features of a model, or what each gave to the answer for a sample."""
    from flink_ol.client import explanation

    model = loaded(file)
    if sample is not None:
        for fields in _answers(model, sample, spec_path, folder, top):
            _tell(fields, as_json, _answer_lines)
        return
    try:
        by_output = explanation.effects(model)
    except ValueError as error:
        raise UsageError(f"{file}: {error}") from None
    fields = {
        "job": model.job,
        "epoch": model.version.epoch,
        "version": model.version.number,
        "features": len(model.feature_names),
        "collisions": explanation.collisions(model),
        "intercept": model.intercept,
        "strongest": [
            {"output": output, "features": [effect._asdict() for effect in found[:top]]}
            for output, found in by_output.items()
        ],
    }
    _tell(fields, as_json, _model_lines)


def diff(
    first: Annotated[Path, typer.Argument(metavar="FIRST", help="A model file.")],
    second: Annotated[Path, typer.Argument(metavar="SECOND", help="A model file.")],
    top: Top = 10,
    as_json: AsJson = False,
) -> None:
    """Print what changed from one model to another: samples, metrics, features, weights."""
    from flink_ol.client.difference import difference

    before, after = loaded(first), loaded(second)
    try:
        fields = difference(before, after, top)
    except ValueError as error:
        raise UsageError(f"{first}, {second}: {error}") from None
    _tell(fields, as_json, _difference_lines)


def _tell(fields: dict[str, Any], as_json: bool, lines: Any) -> None:
    if as_json:
        typer.echo(orjson.dumps(fields, option=orjson.OPT_SERIALIZE_NUMPY))
    else:
        for line in lines(fields):
            typer.echo(line)


def _answers(
    model: Model, file: str, spec_path: Path | None, folder: Path, top: int
) -> Iterator[dict[str, Any]]:
    """One for each record of ``file``."""
    from flink_ol.client.explanation import contributions, outputs
    from flink_ol.wire.formats import sample_format
    from flink_ol.wire.json_samples import JsonFields

    if spec_path is None:
        fields: Section = JsonFields()
        decoder = sample_format("json", fields, model.learning)
    else:
        samples = load_spec(spec_path, folder).samples
        fields = samples.fields
        decoder = sample_format(samples.format, fields, model.learning)
    with Records(file, fields, requests=True) as records:
        for number, line in enumerate(records):
            request = decoder.decode_request(line, 0, number)
            if request.row is None:
                raise UsageError(f"{records.name} record {number + 1}: {request.error}")
            try:
                found = contributions(model, request.row)
            except ValueError as error:
                raise UsageError(str(error)) from None
            order = abs(found.contributions).max(axis=1, initial=0.0).argsort(kind="stable")[::-1]
            yield {
                "record": number + 1,
                "id": request.id,
                "outputs": outputs(model),
                "score": found.scores.tolist(),
                "intercept": found.intercept.tolist(),
                "others": found.contributions[order[top:]].sum(axis=0).tolist(),
                "features": [
                    {
                        "name": found.names[i],
                        "value": float(found.values[i]),
                        "known": found.known[i],
                        "contribution": found.contributions[i].tolist(),
                    }
                    for i in order[:top]
                ],
            }


def _model_lines(fields: dict[str, Any]) -> Iterator[str]:
    yield f"job       {fields['job']} version {fields['version']:,} of epoch {fields['epoch']}"
    met = fields["collisions"]
    yield f"features  {fields['features']:,}"
    if met:
        names = "very many" if met["names"] is None else f"about {met['names']:,}"
        yield (
            f"hashing   {names} names on {2 ** met['hash_bits']:,} indices, "
            f"{met['shared']:.2%} of them share theirs (estimated)"
        )
        yield f"          of {met['kept']:,} names kept {met['meeting']:,} share theirs (counted)"
    for strongest in fields["strongest"]:
        title = f"[{strongest['output']}] " if strongest["output"] else ""
        intercept = fields["intercept"]
        if title:
            intercept = intercept[strongest["output"]]
        width = max((len(effect["name"]) for effect in strongest["features"]), default=0)
        yield f"{title}weight; of standardised numbers also per unit; intercept {intercept:+.4f}"
        for effect in strongest["features"]:
            unit = "" if effect["per_unit"] is None else f"  {effect['per_unit']:+.4g} per unit"
            yield f"  {effect['name']:<{width}} {effect['weight']:+.4f}{unit}"


def _answer_lines(fields: dict[str, Any]) -> Iterator[str]:
    width = max((len(one["name"]) for one in fields["features"]), default=9)
    width = max(width, len("(intercept)"))

    def line(name: str, values: list[float], end: str = "") -> str:
        return f"  {name:<{width}} " + " ".join(f"{value:+12.6f}" for value in values) + end

    named = "" if fields["id"] is None else f", id {fields['id']}"
    yield f"record {fields['record']}{named}"
    if len(fields["outputs"]) > 1:
        yield f"  {'':<{width}} " + " ".join(f"{name:>12}" for name in fields["outputs"])
    yield line("(intercept)", fields["intercept"])
    for one in fields["features"]:
        known = "" if one["known"] else ", never met"
        yield line(one["name"], one["contribution"], f"  value {one['value']:g}{known}")
    if any(fields["others"]):
        yield line("(others)", fields["others"])
    yield line("score", fields["score"])


def _difference_lines(fields: dict[str, Any]) -> Iterator[str]:
    for model in fields["models"]:
        yield (
            f"{model['job']} version {model['epoch']}.{model['version']}: "
            f"{model['samples']:,} samples, {model['dead_letters']:,} dead letters"
        )
    for title in ("settings", "metrics"):
        for name, (before, after) in fields[title].items():
            yield f"{title:<9} {name}: {_shown(before)} -> {_shown(after)}"
    features = fields["features"]
    yield f"features  {features['count'][0]:,} -> {features['count'][1]:,}"
    for title in ("added", "removed"):
        if features[title]["count"]:
            names = ", ".join(features[title]["names"])
            yield f"{title:<9} {features[title]['count']:,}: {names}"
    for change in fields["weights"]:
        output = f" [{change['output']}]" if "output" in change else ""
        yield (
            f"weight    {change['name']}{output}: {change['before']:+.4f} -> "
            f"{change['after']:+.4f} ({change['change']:+.4f})"
        )
    for name, distance in fields["distances"].items():
        share = f", {distance['share']:.2%} of its length" if "share" in distance else ""
        yield f"distance  {name}: {distance['euclidean']:.4g}{share}"


def _shown(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
