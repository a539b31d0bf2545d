"""How large the records of samples are, by the newest in the topic, and how many go together."""

from __future__ import annotations

import time
from contextlib import closing

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from flink_ol.job.spec import Spec
from flink_ol.wire.formats import FORMATS
from flink_ol.wire.kafka_settings import client_arguments

# What crosses into Python together at most; time ends most of it sooner. Of what is on its way
# there and to the trainers a slot has some ten copies, in buffers that stay as large as they once
# were. Flink counts records and not bytes, and Arrow messages are a thousand times as long as text.
_RECORDS, _MESSAGES, _BYTES = 50_000, 100, 8 << 20
_LOOKED_AT = 20  # of every partition
_ANSWERED_WITHIN_S = 5.0


def most_gathered(format_name: str, record_bytes: int | None) -> int:
    """Records of ``record_bytes`` (None: nobody knows) that cross into Python together at most."""
    most = _MESSAGES if FORMATS[format_name].many_samples else _RECORDS
    return min(most, max(1, _BYTES // record_bytes)) if record_bytes else most


def record_bytes(spec: Spec) -> int | None:
    """Mean bytes of a record; None where the topic is empty or does not answer in time."""
    try:
        sizes = _sizes(spec)
    except KafkaError:
        return None  # whoever reads the samples will say what is wrong
    return round(sum(sizes) / len(sizes)) if sizes else None


def _sizes(spec: Spec) -> list[int]:
    arguments = client_arguments(spec.kafka.bootstrap_servers, spec.kafka.properties)
    consumer = KafkaConsumer(
        **arguments, enable_auto_commit=False, isolation_level="read_committed"
    )
    with closing(consumer):
        every = [TopicPartition(spec.topics.samples, p) for p in range(spec.samples.partitions)]
        consumer.assign(every)
        begins, ends = consumer.beginning_offsets(every), consumer.end_offsets(every)
        filled = [one for one in every if ends[one] > begins[one]]
        consumer.assign(filled)
        for one in filled:
            consumer.seek(one, max(begins[one], ends[one] - _LOOKED_AT))
        sizes: list[int] = []
        deadline = time.monotonic() + _ANSWERED_WITHIN_S
        # what is behind the last record may be markers of transactions, which nobody is shown
        while time.monotonic() < deadline and any(
            consumer.position(one) < ends[one] for one in filled
        ):
            for records in consumer.poll(timeout_ms=200).values():
                sizes += (len(record.value or b"") for record in records)
    return sizes
