"""Getting a job's newest model, of the last checkpoint or of this moment."""

from __future__ import annotations

import time

from flink_ol.app.answers import ask
from flink_ol.app.errors import FailureError
from flink_ol.client import Connection, Model, SnapshotReader


def newest(connection: Connection, now: bool, timeout_s: float) -> Model:
    """The newest snapshot; ``now``: one at least as new as the model is at this moment.

    Raises :class:`FailureError` when ``now`` and the job does not answer within ``timeout_s``.
    """
    with SnapshotReader(connection) as reader:
        if not now:
            return reader.latest()
        deadline = time.monotonic() + timeout_s
        hint = "and without --now the last snapshot is read"
        answered_by = ask(connection, "snapshot", deadline, hint)["model"]
        wanted = answered_by["epoch"], answered_by["version"]
        for model in reader.follow(timeout_s=timeout_s, start="latest"):
            if tuple(model.version) >= wanted:
                return model
            if time.monotonic() > deadline:
                break
    raise FailureError(
        f"{connection.job} took the snapshot {wanted[0]}.{wanted[1]}, but it was not to be read "
        f"within {timeout_s:g} s: it becomes visible when a checkpoint completes; do they?"
    )
