"""Metrics and dead letters of a job, and commands to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flink_ol.client.closing import Closing
from flink_ol.client.connection import Connection
from flink_ol.client.producer import Producer
from flink_ol.client.topic_reader import TopicReader
from flink_ol.wire.control import encode_command
from flink_ol.wire.dead_letters import DeadLetterRecord, decode_dead_letter
from flink_ol.wire.metrics import decode_metrics

_TIMEOUT_S = 15.0


class MetricsReader(Closing):
    """The metrics messages of a job, as wire.metrics describes them."""

    def __init__(self, connection: Connection) -> None:
        self._reader = TopicReader(connection, connection.topics.metrics)

    def latest(self) -> dict[str, Any] | None:
        """The newest message, None if there is none."""
        first, end = self._reader.bounds()[0]
        self._reader.seek({0: max(first, end - 1)})
        newest = None
        for record in self._reader.present():
            newest = decode_metrics(record.value)
        return newest

    def all(self) -> list[dict[str, Any]]:
        """What is on the topic, oldest first."""
        self._reader.seek_to_start()
        return [decode_metrics(record.value) for record in self._reader.present()]

    def follow(self, timeout_s: float | None = None) -> Iterator[dict[str, Any]]:
        """The newest message, then each that comes; ends after ``timeout_s`` without one."""
        newest = self.latest()
        if newest is not None:
            yield newest
        for record in self._reader.follow(timeout_s):
            yield decode_metrics(record.value)

    def poll(self, wait_s: float) -> list[dict[str, Any]]:
        """Those that come within ``wait_s``, after :meth:`latest` or what was read last."""
        return [decode_metrics(record.value) for record in self._reader.poll(wait_s)]

    def close(self) -> None:
        """Let go of the connection."""
        self._reader.close()


class DeadLetterReader(Closing):
    """The records that a job could not learn from, each once."""

    def __init__(self, connection: Connection) -> None:
        self._reader = TopicReader(connection, connection.topics.dead_letters)

    def all(self) -> list[DeadLetterRecord]:
        """What is on the topic, by partition and offset of the record that is meant."""
        self._reader.seek_to_start()
        return sorted(_once(self._reader.present()), key=lambda letter: letter[1:3])

    def follow(
        self, timeout_s: float | None = None, start: str = "earliest"
    ) -> Iterator[DeadLetterRecord]:
        """Those that are there (``start``: earliest) or only new ones (``latest``), as they come.

        Ends after ``timeout_s`` without one; None: never.
        """
        if start not in ("earliest", "latest"):
            raise ValueError(f"start: {start!r} is not allowed; give earliest or latest")
        if start == "earliest":
            self._reader.seek_to_start()
        else:
            self._reader.seek_to_end()
        yield from _once(self._reader.follow(timeout_s))

    def close(self) -> None:
        """Let go of the connection."""
        self._reader.close()


def _once(records: Iterator[Any]) -> Iterator[DeadLetterRecord]:
    """A job that was restarted may write a letter again."""
    seen = set()
    for record in records:
        letter = decode_dead_letter(record.value)
        if letter[:3] not in seen:
            seen.add(letter[:3])
            yield letter


def send_command(
    connection: Connection,
    command: str,
    command_id: Any = None,
    values: Mapping[str, Any] | None = None,
) -> None:
    """Tell the job ``command``; returns when Kafka has it.

    ``snapshot``: take one now; ``set``: learn with the settings in ``values`` from now on.
    Raises WireError for an unknown command, TopicMissingError, DeliveryError.
    """
    data = encode_command(command, command_id, values)
    topic = connection.topics.control
    with Producer(connection, topic) as producer:
        producer.send(data, partition=0)
        producer.flush(_TIMEOUT_S)
