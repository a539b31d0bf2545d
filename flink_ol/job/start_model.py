"""The model that a job begins with: read from a file or a topic, and checked, at submission."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from flink_ol.core.compatibility import misfits
from flink_ol.job.problems import SpecError
from flink_ol.job.spec import Spec
from flink_ol.wire.errors import WireError
from flink_ol.wire.kafka_settings import client_arguments
from flink_ol.wire.model_file import decode_snapshot
from flink_ol.wire.parts import Assembler

_READ_WITHIN_S = 120.0
_SILENCE_MS = 500


def start_model(spec: Spec) -> bytes | None:
    """The model file that ``model.start_from`` names; None where nothing is named.

    Raises SpecError where it cannot be read, or the specification cannot go on from it.
    """
    start = spec.start_from
    if start is None:
        return None
    if start.file is not None:
        key, place, data = "file", start.file, _of_file(spec, start.file)
    else:
        assert start.topic is not None
        brokers = start.bootstrap_servers or spec.kafka.bootstrap_servers
        key, place, data = "topic", start.topic, _of_topic(spec, start.topic, brokers)
    try:
        found = misfits(decode_snapshot(data), spec.learning)
    except WireError as error:
        raise _problem(spec, key, f"{place}: {error}") from error
    if found:
        told = "; ".join(found)
        raise _problem(spec, key, f"{place} does not fit: {told}")
    return data


def _of_file(spec: Spec, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise _problem(spec, "file", f"{path} cannot be read: {error.strerror}") from error


def _of_topic(spec: Spec, topic: str, brokers: str) -> bytes:
    """The newest whole snapshot of the committed ones."""
    arguments = client_arguments(brokers, spec.kafka.properties)
    try:
        with closing(
            KafkaConsumer(
                **arguments,
                isolation_level="read_committed",
                enable_auto_commit=False,
                max_partition_fetch_bytes=16 << 20,
            )
        ) as consumer:
            if not consumer.partitions_for_topic(topic):
                raise _problem(spec, "topic", f"there is no topic {topic} at {brokers}")
            newest = _newest(consumer, TopicPartition(topic, 0))
    except KafkaError as error:
        raise _problem(spec, "topic", f"{topic} cannot be read at {brokers}: {error}") from error
    except WireError as error:
        raise _problem(spec, "topic", f"{topic}: {error}") from error
    if newest is None:
        raise _problem(spec, "topic", f"{topic} at {brokers} holds no snapshot")
    return newest


def _newest(consumer: KafkaConsumer, partition: TopicPartition) -> bytes | None:
    consumer.assign([partition])
    consumer.seek_to_beginning()
    end = consumer.end_offsets([partition])[partition]
    assembler, newest = Assembler(), None
    deadline = time.monotonic() + _READ_WITHIN_S
    while consumer.position(partition) < end and time.monotonic() < deadline:
        for records in consumer.poll(timeout_ms=_SILENCE_MS).values():
            for record in records:
                if record.value is not None:
                    newest = assembler.add(record.value) or newest
    return newest


def _problem(spec: Spec, key: str, text: str) -> SpecError:
    return SpecError(spec.name, [f"model.start_from.{key}: {text}"])
