"""Large records cross into Python fewer at a time; how large they are is read from the topic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError

from flink_ol.job import record_size
from flink_ol.job.record_size import most_gathered, record_bytes
from flink_ol.job.spec import Spec


class Record(NamedTuple):
    value: bytes | None


class Consumer:
    """A broker's answers: the records of each partition, of which the last may be a marker."""

    def __init__(self, partitions: Mapping[int, list[bytes | None]], markers: int = 0) -> None:
        self._partitions, self._markers = partitions, markers
        self._places: dict[TopicPartition, int] = {}
        self.closed = False

    def _records(self, one: TopicPartition) -> list[bytes | None]:
        return self._partitions.get(one.partition, [])

    def assign(self, partitions: list[TopicPartition]) -> None:
        self._places = dict.fromkeys(partitions, 0)

    def beginning_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 0)

    def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        found = {one: len(self._records(one)) for one in partitions}
        return {one: count + self._markers if count else 0 for one, count in found.items()}

    def seek(self, one: TopicPartition, offset: int) -> None:
        self._places[one] = offset

    def position(self, one: TopicPartition) -> int:
        return self._places[one]

    def poll(self, timeout_ms: int) -> dict[TopicPartition, list[Record]]:
        found = {one: self._records(one)[place:] for one, place in self._places.items()}
        self._places = self.end_offsets(list(self._places))
        return {one: [Record(value) for value in values] for one, values in found.items()}

    def close(self) -> None:
        self.closed = True


def told(monkeypatch: pytest.MonkeyPatch, consumer: Consumer) -> int | None:
    monkeypatch.setattr(record_size, "KafkaConsumer", lambda **arguments: consumer)
    found = record_bytes(Spec.parse("name: a\ntask: binary\nsamples: {partitions: 3}\n"))
    assert consumer.closed
    return found


def test_the_newest_records_of_all_partitions_count(monkeypatch: pytest.MonkeyPatch) -> None:
    old: list[bytes | None] = [b"old"] * 1000
    partitions = {0: [*old, *[bytes(100)] * 20], 2: [*old, *[bytes(300)] * 20]}
    assert told(monkeypatch, Consumer(partitions, markers=1)) in range(195, 206)


def test_records_without_a_payload_have_no_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(monkeypatch, Consumer({1: [None, bytes(50)]})) == 25


def test_of_an_empty_topic_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(monkeypatch, Consumer({})) is None


def test_a_broker_that_does_not_answer_stops_no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    consumer = Consumer({0: [b"one"]})

    def late(*_: Any) -> dict[TopicPartition, int]:
        raise KafkaTimeoutError("too late")

    monkeypatch.setattr(consumer, "end_offsets", late)
    assert told(monkeypatch, consumer) is None


@pytest.mark.parametrize("format_name", ["arrow", "json"])
@pytest.mark.parametrize("size", [1, 160, 34_000, 330_000, 8 << 20, 64 << 20])
def test_what_crosses_together_is_bounded_in_bytes(format_name: str, size: int) -> None:
    most = most_gathered(format_name, size)
    assert most == 1 or most * size <= 8 << 20
    assert most <= most_gathered(format_name, None)


def test_small_records_are_bounded_by_their_number() -> None:
    assert most_gathered("json", 130) == most_gathered("json", None) == 50_000
    assert most_gathered("arrow", 34_000) == most_gathered("arrow", None) == 100
