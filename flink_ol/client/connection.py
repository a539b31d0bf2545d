"""Where a job is: what every client of it needs to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kafka import KafkaConsumer

from flink_ol.client.errors import kafka_errors
from flink_ol.wire.kafka_settings import client_arguments
from flink_ol.wire.topics import Topics

# a frame of the protocol may hold one part of a model, and what Kafka fetches along with it
_MOST_FRAME_BYTES = 128 << 20
_FETCH_BYTES = 16 << 20


@dataclass(frozen=True)
class Connection:
    """A job's name, and its Kafka: ``Connection("127.0.0.1:9092", "flights")``."""

    bootstrap_servers: str
    """HOST:PORT, several with commas between."""
    job: str
    """The job's name, with which the names of its topics begin."""
    properties: Mapping[str, str | int | float | bool] = field(default_factory=dict, repr=False)
    """Kafka client properties by their Java names, as in the specification."""

    @property
    def topics(self) -> Topics:
        """The names of the job's topics."""
        return Topics(self.job)

    def arguments(self) -> dict[str, Any]:
        """What every kafka-python client is made with. Raises WireError."""
        return client_arguments(self.bootstrap_servers, self.properties)

    def consumer(self, committed: bool) -> KafkaConsumer:
        """A consumer without a group; ``committed``: of committed transactions only."""
        settings = {
            "enable_auto_commit": False,
            "allow_auto_create_topics": False,
            "auto_offset_reset": "earliest",
            "isolation_level": "read_committed" if committed else "read_uncommitted",
            "max_partition_fetch_bytes": _FETCH_BYTES,
            "receive_message_max_bytes": _MOST_FRAME_BYTES,
            # its checksum is computed byte by byte in Python, 3 s for 8 MB; models have a SHA-256
            "check_crcs": False,
            "request_timeout_ms": 30_000,
        }
        with kafka_errors(self.bootstrap_servers):
            return KafkaConsumer(**{**settings, **self.arguments()})
