"""Where a job's checkpoints and savepoints lie, and which of them is the newest.

Each job has a folder of its own under the specification's ``checkpoints.directory`` (by default
that of the cluster it is submitted to): ``DIRECTORY/NAME/JOB-ID/chk-N`` and
``DIRECTORY/NAME/savepoints/savepoint-...``. A cluster also tells where the newest ones of the jobs
that it remembers are, wherever that may be.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from flink_ol.app.errors import FailureError, UsageError
from flink_ol.app.flink_rest import FlinkRest
from flink_ol.job import origin
from flink_ol.job.origin import OriginError, local_path
from flink_ol.job.spec import Spec
from flink_ol.local.stack import Stack
from flink_ol.local.stack_record import StackRecord

LATEST = "latest"
_COMPLETE = "_metadata"  # written last: a folder without it is of an unfinished checkpoint


def base(spec: Spec, folder: Path) -> str | None:
    """The directory under which jobs have theirs, as a URI; None: what the cluster is set to."""
    if spec.checkpoints.directory is not None:
        return spec.checkpoints.directory
    record = StackRecord.read(folder)
    if record is None or record.external_cluster:
        return None
    return Stack(folder).flink_folder.checkpoints.as_uri()


def directory(spec: Spec, folder: Path) -> str | None:
    """The job's own checkpoint directory as a URI; None: what the cluster itself is set to."""
    found = base(spec, folder)
    return None if found is None else origin.own_folder(found, spec.name)


def savepoints(spec: Spec, folder: Path) -> str | None:
    """Where the job's savepoints go; None: where the cluster itself is set to put them."""
    own = directory(spec, folder)
    return None if own is None else f"{own}/savepoints"


def resolve(wanted: str, spec: Spec, folder: Path, cluster: FlinkRest) -> str:
    """The path for Flink of ``latest`` or of a path given by hand."""
    if wanted != LATEST:
        return _given(wanted)
    own = directory(spec, folder)
    local = None if own is None else local_path(own)
    found = [*_lying(local), *_told(spec.name, cluster)]
    if not found:
        places = f"under {local}" if local else "on this machine"
        raise FailureError(
            f"{spec.name} has no checkpoint and no savepoint {places}, and {cluster.url} remembers "
            "none: give the path of one, or leave out --from to begin anew"
        )
    return max(found)[1]


def _lying(own: Path | None) -> Iterator[tuple[float, str]]:
    """(time in seconds, URI) of complete ones in the job's own folder."""
    for pattern in (f"*/chk-*/{_COMPLETE}", f"savepoints/*/{_COMPLETE}"):
        for path in own.glob(pattern) if own else ():
            yield path.stat().st_mtime, path.parent.absolute().as_uri()


def _told(name: str, cluster: FlinkRest) -> Iterator[tuple[float, str]]:
    """The same of those that the cluster remembers of jobs of this name."""
    for ended_ms, place in cluster.recovery_points(name):
        path = local_path(place)
        if path is None:
            yield ended_ms / 1000, place
        elif (path / _COMPLETE).is_file():
            yield (path / _COMPLETE).stat().st_mtime, path.absolute().as_uri()


def check(restore: str, spec: Spec) -> list[str]:
    """What of the specification changed since ``restore`` was made, in words.

    Raises UsageError where state does not bear a change.
    """
    path = local_path(restore)
    return [] if path is None else _checked(path, restore, spec)


def check_running(job_id: str, spec: Spec, folder: Path) -> list[str]:
    """The same for a savepoint that is yet to be taken of the running job."""
    own = directory(spec, folder)
    path = None if own is None else local_path(own)
    return [] if path is None else _checked(path / job_id, f"the running {spec.name}", spec)


def _checked(path: Path, restore: str, spec: Spec) -> list[str]:
    try:
        before = origin.read(path)
    except OriginError as error:
        raise UsageError(str(error)) from None
    if before is None:
        return []
    allowed, refused = origin.compared(before, spec)
    if refused:
        told = "\n".join(f"  {change}" for change in refused)
        raise UsageError(
            f"{restore} was made by a specification that differs where its state does not bear "
            f"it:\n{told}\nput these back, or begin anew under another name"
        )
    return allowed


def remember(savepoint: str, spec: Spec, job_id: str, folder: Path) -> None:
    """Lay beside a savepoint what it was made by, as the job's checkpoint folder has it."""
    path, own = local_path(savepoint), directory(spec, folder)
    job = None if own is None else local_path(own)
    if path is None or job is None or not path.is_dir():
        return
    try:
        before = origin.read(job / job_id)
        if before is not None:
            origin.write(path, before)
    except (OSError, OriginError):
        return  # the savepoint is as good without


def _given(wanted: str) -> str:
    local = local_path(wanted)
    if local is None:
        return wanted
    if not (local / _COMPLETE).is_file():
        raise UsageError(
            f"--from {wanted}: no complete checkpoint or savepoint is there (it would hold a file "
            f"{_COMPLETE}); `--from latest` finds the newest of the job"
        )
    return local.absolute().as_uri()
