"""Getting a job's newest model, of the last checkpoint or of this moment."""

from __future__ import annotations

import time
import uuid

from flink_ol.app.errors import FailureError
from flink_ol.client import Connection, MetricsReader, Model, SnapshotReader, send_command

_POLL_S = 0.5


def newest(connection: Connection, now: bool, timeout_s: float) -> Model:
    """The newest snapshot; ``now``: one at least as new as the model is at this moment.

    Raises :class:`FailureError` when ``now`` and the job does not answer within ``timeout_s``.
    """
    with SnapshotReader(connection) as reader:
        if not now:
            return reader.latest()
        deadline = time.monotonic() + timeout_s
        wanted = _command(connection, deadline)
        for model in reader.follow(timeout_s=timeout_s, start="latest"):
            if tuple(model.version) >= wanted:
                return model
            if time.monotonic() > deadline:
                break
    raise FailureError(
        f"{connection.job} took the snapshot {wanted[0]}.{wanted[1]}, but it was not to be read "
        f"within {timeout_s:g} s: it becomes visible when a checkpoint completes; do they?"
    )


def _command(connection: Connection, deadline: float) -> tuple[int, int]:
    """Send the command; the version that answers it."""
    name = uuid.uuid4().hex
    with MetricsReader(connection) as metrics:
        metrics.latest()  # only what comes after it can be the answer
        send_command(connection, "snapshot", name)
        while time.monotonic() < deadline:
            for message in metrics.poll(_POLL_S):
                if message.get("command", {}).get("id") == name:
                    return message["model"]["epoch"], message["model"]["version"]
    raise FailureError(
        f"no answer from {connection.job}: does it run? `flink-ol watch` shows it, "
        "and without --now the last snapshot is read"
    )
