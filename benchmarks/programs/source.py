"""The records of the topic, in batches, by confluent-kafka: what every program is fed with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition
from meter import Meter

_WAIT_S = 1.0
_STALLED = 30  # waits in a row


def batches(asked: dict[str, Any], meter: Meter, size: int) -> Iterator[list[Message]]:
    """Up to ``size`` records at once, until all were read or time is up; starts the meter."""
    consumer = Consumer(
        {
            "bootstrap.servers": asked["servers"],
            "group.id": "benchmark",
            "enable.auto.commit": False,
            "fetch.max.bytes": 16 << 20,
            "queued.max.messages.kbytes": 65_536,
        }
    )
    topic = asked["topic"]
    count = len(consumer.list_topics(topic, timeout=30).topics[topic].partitions)
    consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in range(count)])
    left, waits = asked["messages"], 0
    try:
        while left > 0 and not meter.over:
            found = consumer.consume(min(size, left), _WAIT_S)
            waits = 0 if found else waits + 1
            if waits > _STALLED:
                raise SystemExit(f"{topic}: {left} records are missing")
            if not found:
                continue
            if left == asked["messages"]:
                meter.start()
            left -= len(found)
            yield found
    finally:
        consumer.close()
