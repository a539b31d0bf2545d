"""What a job's checkpoints and savepoints were made by: a small file beside them.

``flink_ol.json`` lies in the folder of a job's checkpoints, ``DIRECTORY/NAME/JOB-ID``, and in the
folder of every savepoint that the command line takes. JSON: ``{"format": 2, "name", "learning",
"samples": {"format", "partitions", "fields"}, "training": {"mode", "workers", "passes"}}``; older
ones are without ``fields`` and ``passes``, and those are not compared.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from flink_ol.core.compatibility import Changes, changes
from flink_ol.core.config import ConfigError, Learning
from flink_ol.core.training import passes_of
from flink_ol.job.spec import Spec

FILE = "flink_ol.json"
_WAIT = "sync", "bounded"  # modes whose state holds samples as they came
_FORMAT = 2


class OriginError(ValueError):
    """The file is there and cannot be used; the message says where and why."""


class Origin(NamedTuple):
    """The part of a specification that state depends on."""

    name: str
    learning: Learning
    samples_format: str
    partitions: int
    mode: str
    workers: int
    samples_fields: Mapping[str, Any] | None = None  # of the format; None: nothing tells
    passes: int | None = -1  # over a bounded input; None: it is endless; -1: nothing tells


def origin_of(spec: Spec) -> Origin:
    """What is to be remembered of ``spec``."""
    samples, training = spec.samples, spec.training
    return Origin(
        spec.name,
        spec.learning,
        samples.format,
        samples.partitions,
        training.mode,
        training.workers,
        samples.fields.to_json(),
        passes_of(training),
    )


def compared(before: Origin, spec: Spec) -> tuple[list[str], list[str]]:
    """What changed since: what may, and what state of ``before`` does not bear, with the reason."""
    after = origin_of(spec)
    learning: Changes = changes(before.learning, after.learning, in_flight=True)
    allowed = [str(change) for change in learning.allowed]
    refused = [f"{change}: {change.reason}" for change in learning.refused]
    reading = list(_reading(before, after))
    if before.mode == after.mode and before.mode in _WAIT:
        reason = f"samples that wait in mode {after.mode} are kept as they came"
        refused += [f"{change}: {reason}" for change in reading]
    else:
        allowed += reading
    if before.workers != after.workers:
        allowed.append(f"training.workers: {before.workers} -> {after.workers}")
    if before.name != after.name:
        reason = "topics and state belong to the name"
        refused.append(f"name: {before.name} -> {after.name}: {reason}")
    if before.partitions != after.partitions:
        reason = "keys and state are laid out by it"
        refused.append(f"samples.partitions: {before.partitions} -> {after.partitions}: {reason}")
    if before.mode != after.mode:
        reason = "what is under way between workers is another mode's"
        refused.append(f"training.mode: {before.mode} -> {after.mode}: {reason}")
    if before.mode == after.mode and before.passes not in (-1, after.passes):
        reason = "what is kept of the input, and counted, is for the passes asked for at first"
        told = ["null" if passes is None else passes for passes in (before.passes, after.passes)]
        refused.append(f"training.passes: {told[0]} -> {told[1]}: {reason}")
    return allowed, refused


def _reading(before: Origin, after: Origin) -> Iterator[str]:
    """What changed of how samples are read."""
    if before.samples_format != after.samples_format:
        yield f"samples.format: {before.samples_format} -> {after.samples_format}"
    elif before.samples_fields is not None and after.samples_fields is not None:
        theirs, ours = before.samples_fields, after.samples_fields
        for name in sorted({*theirs, *ours}):
            if theirs.get(name) != ours.get(name):
                yield f"samples.fields.{name}: {theirs.get(name)} -> {ours.get(name)}"


def own_folder(base: str, name: str) -> str:
    """The job's own folder as a URI, under the checkpoint directory ``base``."""
    place = base if "://" in base or base.startswith("file:") else Path(base).absolute().as_uri()
    return f"{place.rstrip('/')}/{name}"


def local_path(place: str) -> Path | None:
    """The path on this machine, None for other file systems."""
    parts = urlsplit(place)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    return None if "://" in place else Path(place)


def write(folder: Path, origin: Origin) -> None:
    """Put the file into ``folder``, which is made if it is not there. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    fields = {
        "format": _FORMAT,
        "name": origin.name,
        "learning": origin.learning.to_json(),
        "samples": {
            "format": origin.samples_format,
            "partitions": origin.partitions,
            "fields": origin.samples_fields,
        },
        "training": {"mode": origin.mode, "workers": origin.workers, "passes": origin.passes},
    }
    (folder / FILE).write_text(json.dumps(fields, indent=1), encoding="utf-8")


def read(recovery_point: Path) -> Origin | None:
    """The origin of a checkpoint or savepoint; None where nothing tells. Raises OriginError."""
    for folder in (recovery_point, recovery_point.parent):
        if (folder / FILE).is_file():
            return _read(folder / FILE)
    return None


def _read(path: Path) -> Origin:
    try:
        fields: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if fields["format"] == 1:
            raise OriginError(
                f"{path} is of a version that gathered samples in Flink's windows, and what was in "
                "them could not be read: begin a new job with model.start_from, which takes the "
                "model of that job's last snapshot"
            )
        if fields["format"] != _FORMAT:
            raise OriginError(
                f"{path} has format {fields['format']}, this version of flink_ol knows {_FORMAT}: "
                "go on with the version that wrote it, or delete the file to go on unchecked"
            )
        return Origin(
            fields["name"],
            Learning.from_json(fields["learning"]),
            fields["samples"]["format"],
            int(fields["samples"]["partitions"]),
            fields["training"]["mode"],
            int(fields["training"]["workers"]),
            fields["samples"].get("fields"),
            fields["training"].get("passes", -1),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, OriginError):
            raise
        what = "says a setting that this version does not know" * isinstance(error, ConfigError)
        raise OriginError(
            f"{path} {what or 'is damaged'} ({error}): delete it to go on unchecked"
        ) from None
