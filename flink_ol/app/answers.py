"""Telling a running job a command and waiting for what it says to it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from typing import Any

from flink_ol.app.errors import FailureError
from flink_ol.client import Connection, MetricsReader, send_command

_POLL_S = 0.5


def ask(
    connection: Connection,
    command: str,
    deadline: float,
    hint: str,
    values: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Send the command; the metrics message that answers it.

    ``deadline``: of time.monotonic(). Raises :class:`FailureError`, which ends with ``hint``, when
    none comes before it.
    """
    name = uuid.uuid4().hex
    with MetricsReader(connection) as metrics:
        metrics.latest()  # only what comes after it can be the answer
        send_command(connection, command, name, values)
        while time.monotonic() < deadline:
            for message in metrics.poll(_POLL_S):
                if message.get("command", {}).get("id") == name:
                    return message
    raise FailureError(
        f"no answer from {connection.job}: does it run? `flink-ol watch` shows it, {hint}"
    )
