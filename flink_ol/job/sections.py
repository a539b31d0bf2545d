"""The sections of a specification that are not the core's: Kafka, what comes in, how it runs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from flink_ol.wire.json_samples import JsonFields

_SERVERS = r"^\s*[^\s,]+:\d{1,5}\s*(,\s*[^\s,]+:\d{1,5}\s*)*$"
Milliseconds = Annotated[int, Field(ge=1, le=86_400_000)]


class Checked(BaseModel):
    """A section whose every key is known and checked."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class Kafka(Checked):
    """Where the topics are."""

    bootstrap_servers: Annotated[str, Field(pattern=_SERVERS)] = "127.0.0.1:9092"
    """HOST:PORT, several with commas between."""
    properties: Annotated[dict[str, str | int | float | bool], Field(repr=False)] = {}
    """Kafka client properties by their Java names, for every client: TLS, SASL."""
    partitions: Annotated[int, Field(ge=1, le=1024)] = 4
    """Of the requests and predictions topics when they are made."""
    retention_ms: Annotated[int, Field(ge=-1)] = 7 * 86_400_000
    """How long topics that are made keep their records; -1: for ever."""


class Samples(Checked):
    """What comes in."""

    format: Literal["json"] = "json"
    """How a message is written."""
    partitions: Annotated[int, Field(ge=1, le=1024)] = 4
    """Of the samples topic; fixed for the life of a job."""
    start: Literal["earliest", "latest"] = "earliest"
    """Where a new job begins to read."""
    fields: JsonFields = JsonFields()
    """The names of the parts of a JSON record."""


class Training(Checked):
    """How shards learn together."""

    mode: Literal["local"] = "local"
    """local: every worker steps sample by sample on its replica, and differences are merged."""
    workers: Annotated[int, Field(ge=1, le=128)] = 2
    """Parallel trainers."""
    batch_window_ms: Annotated[int, Field(ge=5, le=60_000)] = 50
    """How long samples are gathered before they cross into Python together."""
    scale_rate: bool = True
    """Whether sgd's learning rate grows with the workers at work, as averaging divides it."""


class Weights(Checked):
    """What goes back to the trainers."""

    interval_ms: Milliseconds = 20
    """Least time between two weights frames."""


class Snapshots(Checked):
    """What readers get."""

    interval_ms: Milliseconds = 1000
    """Least time between two snapshots; a snapshot is visible at the next checkpoint."""
    keep: Annotated[int, Field(ge=1, le=10_000)] = 10
    """How many stay on the topic."""


class Metrics(Checked):
    """What is told while learning."""

    interval_ms: Milliseconds = 1000
    """Least time between two metrics messages."""


class Checkpoints(Checked):
    """What a restart goes on from."""

    interval_ms: Annotated[int, Field(ge=100, le=86_400_000)] = 5000
    """Time between the starts of two checkpoints."""
    directory: str | None = None
    """A URI that every process of the cluster reaches; null: the cluster's own setting."""
