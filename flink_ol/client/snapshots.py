"""Reading the models that a job publishes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from flink_ol.client.closing import Closing
from flink_ol.client.connection import Connection
from flink_ol.client.errors import ClientError, NoSnapshotError
from flink_ol.client.model import Model
from flink_ol.client.topic_reader import TopicReader
from flink_ol.core.messages import Version
from flink_ol.wire.errors import WireError
from flink_ol.wire.parts import Assembler

_FIRST_LOOK = 8  # records from the end, within which the newest snapshot mostly lies


class SnapshotReader(Closing):
    """The snapshots of a job: committed ones only, whole ones only, checked by their SHA-256."""

    def __init__(self, connection: Connection) -> None:
        self._reader = TopicReader(connection, connection.topics.snapshots, committed=True)

    def latest(self) -> Model:
        """The newest model. Raises NoSnapshotError if there is none yet."""
        model = self._newest()
        if model is None:
            raise NoSnapshotError(
                f"{self._reader.topic} holds no snapshot yet: a snapshot is visible at the next "
                "checkpoint of the running job; is it running, and has it been fed?"
            )
        return model

    def versions(self) -> list[Version]:
        """The versions that can be read, oldest first."""
        return sorted(_version(record) for _, record in _messages(self._all()))

    def get(self, version: Version | tuple[int, int]) -> Model:
        """The model of one (epoch, number). Raises NoSnapshotError if it is not there."""
        wanted, records = Version(*version), []
        versions = set()
        for record in self._all():
            found = _version(record)
            versions.add(found)
            if found == wanted:
                records.append(record)
        for model in _models(records):
            return model
        there = ", ".join(f"{v.epoch}.{v.number}" for v in sorted(versions)) or "none"
        raise NoSnapshotError(
            f"{self._reader.topic} holds no snapshot {wanted.epoch}.{wanted.number}; "
            f"there are {there}"
        )

    def follow(self, timeout_s: float | None = None, start: str = "latest") -> Iterator[Model]:
        """Models as they are published, those that come together one by one.

        ``start``: ``latest`` begins with the newest there is, ``earliest`` with the oldest,
        ``new`` with the next. Ends after ``timeout_s`` without one; None: never.
        """
        if start not in ("latest", "earliest", "new"):
            raise ValueError(f"start: {start!r} is not allowed; give latest, earliest or new")
        if start == "earliest":
            self._reader.seek_to_start()
        elif start == "new":
            self._reader.seek_to_end()
        elif (model := self._newest()) is not None:
            yield model
        yield from _models(self._reader.follow(timeout_s))

    def _newest(self) -> Model | None:
        """The newest model; reading goes on behind it."""
        (first, end) = self._reader.bounds()[0]
        look = _FIRST_LOOK
        while True:
            start = max(first, end - look)
            self._reader.seek({0: start})
            newest = None
            for message, record in _messages(self._reader.present()):
                newest = message, record
            if newest is not None:
                return _model(*newest)
            if start <= first:
                return None
            look *= 4

    def _all(self) -> Iterator[Any]:
        """The records that are there, of the snapshots that still are."""
        self._reader.seek_to_start()
        # a tombstone may come long before compaction removes what it is for
        kept: dict[bytes, Any] = {}
        for record in self._reader.present():
            kept.pop(record.key, None)
            if record.value is not None:
                kept[record.key] = record
        return iter(kept.values())

    def close(self) -> None:
        """Let go of the connection."""
        self._reader.close()


def _version(record: Any) -> Version:
    epoch, number, _ = record.key.decode().split(".")
    return Version(int(epoch), int(number))


def _messages(records: Iterable[Any]) -> Iterator[tuple[bytes, Any]]:
    """Whole messages, each with the record of its last part."""
    assembler = Assembler()
    for record in records:
        if record.value is not None:
            with _place(record):
                message = assembler.add(record.value)
            if message is not None:
                yield message, record


def _models(records: Iterable[Any]) -> Iterator[Model]:
    for message, record in _messages(records):
        yield _model(message, record)


def _model(message: bytes, record: Any) -> Model:
    with _place(record):
        return Model.from_bytes(message)


@contextmanager
def _place(record: Any) -> Iterator[None]:
    try:
        yield
    except WireError as error:
        raise ClientError(f"{record.topic} offset {record.offset}: {error}") from error
