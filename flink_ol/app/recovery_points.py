"""Where a job's checkpoints and savepoints lie, and which of them is the newest.

Each job has a folder of its own under the specification's ``checkpoints.directory`` (by default
the local stack's): ``DIRECTORY/NAME/JOB-ID/chk-N`` and ``DIRECTORY/NAME/savepoints/savepoint-...``.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from flink_ol.app.errors import FailureError, UsageError
from flink_ol.job.spec import Spec
from flink_ol.local.stack import Stack
from flink_ol.local.stack_record import StackRecord

LATEST = "latest"
_COMPLETE = "_metadata"  # written last: a folder without it is of an unfinished checkpoint


def directory(spec: Spec, folder: Path) -> str | None:
    """The job's own checkpoint directory as a URI; None: what the cluster itself is set to."""
    if spec.checkpoints.directory is not None:
        chosen = spec.checkpoints.directory
        base = (
            chosen
            if "://" in chosen or chosen.startswith("file:")
            else Path(chosen).absolute().as_uri()
        )
    else:
        record = StackRecord.read(folder)
        if record is None or record.external_cluster:
            return None
        base = Stack(folder).flink_folder.checkpoints.as_uri()
    return f"{base.rstrip('/')}/{spec.name}"


def savepoints(spec: Spec, folder: Path) -> str | None:
    """Where the job's savepoints go; None: where the cluster itself is set to put them."""
    base = directory(spec, folder)
    return None if base is None else f"{base}/savepoints"


def resolve(wanted: str, spec: Spec, folder: Path) -> str:
    """The path for Flink of ``latest`` or of a path given by hand."""
    if wanted != LATEST:
        return _given(wanted)
    base = directory(spec, folder)
    local = None if base is None else _local(base)
    if local is None:
        raise UsageError(
            f"--from latest looks on this machine only, and the checkpoints of {spec.name} are at "
            f"{base or 'the place that the cluster is set to'}: give the path of one"
        )
    complete = [*local.glob(f"*/chk-*/{_COMPLETE}"), *local.glob(f"savepoints/*/{_COMPLETE}")]
    if not complete:
        raise FailureError(
            f"{spec.name} has no checkpoint and no savepoint under {local}: "
            "leave out --from to begin anew"
        )
    newest = max(complete, key=lambda path: path.stat().st_mtime)
    return newest.parent.as_uri()


def _given(wanted: str) -> str:
    local = _local(wanted)
    if local is None:
        return wanted
    if not (local / _COMPLETE).is_file():
        raise UsageError(
            f"--from {wanted}: no complete checkpoint or savepoint is there (it would hold a file "
            f"{_COMPLETE}); `--from latest` finds the newest of the job"
        )
    return local.absolute().as_uri()


def _local(place: str) -> Path | None:
    """The path on this machine, None for other file systems."""
    parts = urlsplit(place)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    return None if "://" in place else Path(place)
