"""Where a bounded input ends: what the samples topic holds when the job is submitted."""

from __future__ import annotations

import time
from contextlib import closing

from kafka import KafkaConsumer, TopicPartition

from flink_ol.job.problems import SpecError
from flink_ol.job.spec import Spec
from flink_ol.wire.kafka_settings import client_arguments

_ANSWERED_WITHIN_S = 20.0


def input_ends(spec: Spec) -> dict[int, int]:
    """Partition -> offset after its last record, of those that have records.

    The log's own end can lie behind markers of transactions, which no reader ever sees: the last
    record is looked for. Raises SpecError if the topic is empty or does not answer.
    """
    arguments = client_arguments(spec.kafka.bootstrap_servers, spec.kafka.properties)
    consumer = KafkaConsumer(
        **arguments, enable_auto_commit=False, isolation_level="read_committed"
    )
    with closing(consumer):
        partitions = [
            TopicPartition(spec.topics.samples, p) for p in range(spec.samples.partitions)
        ]
        consumer.assign(partitions)
        begins, ends = consumer.beginning_offsets(partitions), consumer.end_offsets(partitions)
        found = {
            partition.partition: last + 1
            for partition in partitions
            if (last := _last(consumer, partition, begins[partition], ends[partition])) is not None
        }
    if not found:
        raise SpecError(
            spec.topics.samples,
            ["training.passes learns from what the topic holds, and it is empty: feed it first"],
        )
    return found


def _last(consumer: KafkaConsumer, partition: TopicPartition, begin: int, end: int) -> int | None:
    """Offset of the last record between ``begin`` and ``end``."""
    back = 1
    while begin < end:
        start = max(begin, end - back)
        consumer.seek(partition, start)
        last = None
        deadline = time.monotonic() + _ANSWERED_WITHIN_S
        others = [other for other in consumer.assignment() if other != partition]
        consumer.pause(*others)
        while consumer.position(partition) < end:
            for record in consumer.poll(timeout_ms=200).get(partition, []):
                last = record.offset if record.offset < end else last
            if time.monotonic() > deadline:
                raise SpecError(partition.topic, [f"partition {partition.partition}: no answer"])
        consumer.resume(*others)
        if last is not None or start == begin:
            return last
        back *= 8
    return None
