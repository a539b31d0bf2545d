"""Consume and discard with kafka-python."""

from __future__ import annotations

from kafka import KafkaConsumer, TopicPartition
from meter import Meter, task


def main() -> None:
    asked = task()
    meter = Meter(asked["seconds"], "kafka-python")
    consumer = KafkaConsumer(
        bootstrap_servers=asked["servers"],
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_poll_records=10_000,
        max_partition_fetch_bytes=16 << 20,
    )
    numbers = consumer.partitions_for_topic(asked["topic"])
    consumer.assign([TopicPartition(asked["topic"], number) for number in numbers])
    left = asked["messages"]
    while left > 0 and not meter.over:
        found = consumer.poll(1000)
        if found and left == asked["messages"]:
            meter.start()
        count = sum(map(len, found.values()))
        left -= count
        meter.add(count * asked["samples_each"])
    meter.end()
    consumer.close()


if __name__ == "__main__":
    main()
