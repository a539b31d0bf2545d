"""Making the job's topics where they are missing, and refusing those that do not fit."""

from __future__ import annotations

import time
from contextlib import closing
from typing import NamedTuple

from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    NoBrokersAvailable,
    TopicAlreadyExistsError,
)

from flink_ol.job.problems import SpecError
from flink_ol.job.spec import Spec
from flink_ol.wire.kafka_settings import client_arguments, no_answer

_MOST_RECORD_BYTES = 9 << 20  # of samples too: images, and messages of many
_SHOWN_WITHIN_S = 20.0


class TopicSettings(NamedTuple):
    """What a topic is made with."""

    name: str
    partitions: int
    config: dict[str, str]


def topic_settings(spec: Spec) -> list[TopicSettings]:
    """All topics of the job."""
    names, spread = spec.topics, spec.kafka.partitions
    kept = {"retention.ms": str(spec.kafka.retention_ms)}
    large = {"max.message.bytes": str(_MOST_RECORD_BYTES)}
    # frames are of use for seconds; what is older is of a life that is over
    fleeting = {"retention.ms": "600000", "segment.ms": "600000", **large}
    compacted = {"cleanup.policy": "compact", "segment.ms": "600000", **large}
    return [
        TopicSettings(names.samples, spec.samples.partitions, kept | large),
        TopicSettings(names.requests, spread, kept),
        TopicSettings(names.control, 1, kept),
        TopicSettings(names.weights, 1, fleeting),
        TopicSettings(names.snapshots, 1, compacted),
        TopicSettings(names.predictions, spread, kept),
        TopicSettings(names.metrics, 1, kept),
        TopicSettings(names.dead_letters, 1, kept),
    ]


def ensure_topics(spec: Spec) -> list[str]:
    """Make the topics that are missing; their names.

    Raises SpecError if Kafka cannot be reached, or the samples topic has another number of
    partitions than ``samples.partitions``: keys and state are laid out by it.
    """
    address = spec.kafka.bootstrap_servers
    try:
        arguments = client_arguments(address, spec.kafka.properties)
        with closing(KafkaAdminClient(**arguments)) as admin:
            return _ensure(admin, spec)
    except NoBrokersAvailable:
        raise SpecError(spec.name, [f"kafka.bootstrap_servers: {no_answer(address)}"]) from None
    except (KafkaError, ValueError) as error:
        if isinstance(error, SpecError):
            raise
        raise SpecError(spec.name, [f"kafka at {address}: {error}"]) from error


def _ensure(admin: KafkaAdminClient, spec: Spec) -> list[str]:
    there = set(admin.list_topics())
    wanted = topic_settings(spec)
    made = []
    for topic in wanted:
        if topic.name in there:
            continue
        new = NewTopic(topic.name, topic.partitions, -1, topic_configs=topic.config)
        try:
            admin.create_topics([new])
        except TopicAlreadyExistsError:
            continue  # someone else was faster
        made.append(topic.name)
    found = _await(admin, [topic.name for topic in wanted])[spec.topics.samples]
    if found != spec.samples.partitions:
        problem = (
            f"samples.partitions: {spec.samples.partitions} is not allowed; the topic "
            f"{spec.topics.samples} has {found}, and a job reads all of them: give {found}"
        )
        raise SpecError(spec.name, [problem])
    return made


def _await(admin: KafkaAdminClient, names: list[str]) -> dict[str, int]:
    """Partitions by topic, once all can be used: a broker learns of new topics a little later."""
    deadline = time.monotonic() + _SHOWN_WITHIN_S
    while True:
        described = admin.describe_topics(names)
        partitions = {
            topic["topic"]: len(topic["partitions"])
            for topic in described
            if not topic["error_code"] and all(part["leader"] >= 0 for part in topic["partitions"])
        }
        if partitions.keys() >= set(names):
            return partitions
        if time.monotonic() > deadline:
            late = ", ".join(sorted(set(names) - partitions.keys()))
            raise KafkaTimeoutError(f"no leader for {late} after {_SHOWN_WITHIN_S:.0f} s")
        time.sleep(0.05)
