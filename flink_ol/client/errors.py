"""What can go wrong between a client and a job, in words that say what helps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kafka.errors import KafkaError, NoBrokersAvailable

from flink_ol.wire.kafka_settings import no_answer


class ClientError(Exception):
    """A client could not do its work; the message names the place and the remedy."""


class BrokerUnreachableError(ClientError):
    """No broker answers at the address."""


class TopicMissingError(ClientError):
    """A topic of the job does not exist."""


class NoSnapshotError(ClientError):
    """The snapshot asked for is not on the topic."""


class DeliveryError(ClientError):
    """Records that were sent are not known to have arrived."""


class UnansweredError(ClientError):
    """Requests without an answer within the time limit.

    ``answers``: one for each request, in their order, None where there is none.
    """

    def __init__(self, message: str, answers: list[dict[str, Any] | None]) -> None:
        super().__init__(message)
        self.answers = answers

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.answers)


@contextmanager
def kafka_errors(bootstrap_servers: str) -> Iterator[None]:
    """Errors of kafka-python as errors of the client."""
    try:
        yield
    except NoBrokersAvailable:
        raise BrokerUnreachableError(no_answer(bootstrap_servers)) from None
    except KafkaError as error:
        raise ClientError(f"Kafka at {bootstrap_servers}: {error}") from error


def topic_missing(topic: str, bootstrap_servers: str) -> TopicMissingError:
    """The error for a topic that does not exist."""
    return TopicMissingError(
        f"the topic {topic} does not exist at {bootstrap_servers}; `flink-ol run SPEC` makes the "
        "topics of a job"
    )
