"""The sections of a specification that are not the core's: Kafka, what comes in, how it runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Annotated, Any, Literal, cast

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    create_model,
    model_validator,
)

from flink_ol.core.evaluation import Evaluation
from flink_ol.core.evaluation.settings import MOST_SLICES
from flink_ol.core.fields import ConfigError, Section
from flink_ol.core.quantisation import Numbers
from flink_ol.core.training import Training
from flink_ol.wire.formats import FORMATS

_SERVERS = r"^\s*[^\s,]+:\d{1,5}\s*(,\s*[^\s,]+:\d{1,5}\s*)*$"
Guarantee = Literal["at_least_once", "exactly_once"]
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
    """What comes in; each format is a subclass with its own fields."""

    format: str
    """How a message is written."""
    partitions: Annotated[int, Field(ge=1, le=1024)] = 4
    """Of the samples topic; fixed for the life of a job."""
    start: Literal["earliest", "latest"] = "earliest"
    """Where a new job begins to read."""
    fields: InstanceOf[Section]
    """The settings of the format."""

    @property
    def many_samples(self) -> bool:
        """Whether a message may hold many."""
        return FORMATS[self.format].many_samples

    def __reduce__(self) -> tuple[Any, ...]:
        # the subclasses are made below, so no module has them by name
        return _again, (self.format, dict(self))


def _again(name: str, values: dict[str, Any]) -> Samples:
    return SAMPLES[name](**values)


def _samples_in(name: str, settings: type[Section]) -> type[Samples]:
    """The section of samples in the format ``name``."""
    keys = {field.name: field for field in dataclasses.fields(cast(Any, settings))}
    required = any(
        field.default is field.default_factory is dataclasses.MISSING for field in keys.values()
    )
    described = {key: field.description for key, field in Samples.model_fields.items()}
    default = ... if required else settings()
    fields: dict[str, Any] = {
        "format": (Literal[name], Field(name, description=described["format"])),
        "fields": (settings, Field(default, description=described["fields"])),
    }
    doc = f"Samples in the format {name}."
    return create_model(f"{name.capitalize()}Samples", __base__=Samples, __doc__=doc, **fields)


SAMPLES = {name: _samples_in(name, known.fields) for name, known in FORMATS.items()}

JSON = SAMPLES["json"].model_validate({})


class ByFormat:
    """Marks the samples section as one of those in SAMPLES, JSON where no format is given."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: Callable[[Any], dict[str, Any]]
    ) -> dict[str, Any]:
        choices = {name: handler(member) for name, member in SAMPLES.items()}
        union = {"type": "tagged-union", "choices": choices, "discriminator": "format"}
        function = {"type": "no-info", "function": _completed}
        return {"type": "function-before", "function": function, "schema": union}


def _completed(value: Any) -> Any:
    # so that a required setting is told missing by its own name, not its section's
    return {"format": "json", "fields": {}, **value} if isinstance(value, dict) else value


def _with_mode(value: Any) -> Any:
    return {"mode": "local", **value} if isinstance(value, dict) else value


TrainingSection = Annotated[Training, BeforeValidator(_with_mode)]


class StartFrom(Checked):
    """A model that another job learned, for a new job to begin with; give file or topic."""

    file: str | None = None
    """A model file, as `flink-ol snapshot` writes them, read where the job is submitted."""
    topic: str | None = None
    """A topic of snapshots, NAME.snapshots, of which the newest is taken at submission."""
    bootstrap_servers: Annotated[str, Field(pattern=_SERVERS)] | None = None
    """Where the topic is; null: where the job's own are."""

    @model_validator(mode="after")
    def _one_place(self) -> StartFrom:
        if (self.file is None) == (self.topic is None):
            given = {k: v for k, v in (("file", self.file), ("topic", self.topic)) if v}
            raise ConfigError("", given, "file or topic, one of them")
        if self.file is not None and self.bootstrap_servers is not None:
            raise ConfigError("bootstrap_servers", self.bootstrap_servers, "none beside file")
        return self


def without_start(value: Any) -> Any:
    """The section of the model alone, which ``start_from`` stands in."""
    if isinstance(value, dict):
        return {key: item for key, item in value.items() if key != "start_from"}
    return value


class Weights(Checked):
    """What goes back to the trainers."""

    interval_ms: Milliseconds = 20
    """Least time between two weights frames."""
    bytes_per_s: Annotated[int, Field(ge=1_000)] = 10 << 20
    """The most that frames take, all trainers' together, as every trainer takes each: the next one
    waits until it is its turn. Not for the rounds of mode sync, whose frames end them."""
    numbers: Numbers | None = None
    """How changes of parameters are written, what was left out following with the next: 2 or 1
    bytes a number; null: exactly. Models of at most 64 KiB are always sent whole."""


class Snapshots(Checked):
    """What readers get."""

    interval_ms: Milliseconds = 5000
    """Least time between two snapshots; a snapshot is visible at the next checkpoint."""
    keep: Annotated[int, Field(ge=1, le=10_000)] = 10
    """How many stay on the topic."""


class Metrics(Checked):
    """What is told while learning."""

    interval_ms: Milliseconds = 1000
    """Least time between two metrics messages."""
    window: Annotated[int, Field(ge=1, le=1_000_000_000)] = 10_000
    """The newest samples that are evaluated apart: at least so many, in whole updates."""
    half_life: Annotated[int, Field(ge=1, le=1_000_000_000)] = 10_000
    """In the faded metrics a sample counts half after so many later ones."""
    slices: Annotated[tuple[str, ...], Field(max_length=MOST_SLICES)] = ()
    """Categorical features whose values are evaluated apart."""

    @property
    def evaluation(self) -> Evaluation:
        """The part that the core knows."""
        slices = tuple(dict.fromkeys(self.slices))
        return Evaluation(window=self.window, half_life=self.half_life, slices=slices)


class Delivery(Checked):
    """How often a record of the job's output may come; the model itself counts every sample once.

    Snapshots are exactly once always, weights and metrics at least once.
    """

    predictions: Guarantee = "at_least_once"
    """exactly_once: answers are in transactions, and readers of committed records see them at the
    next checkpoint."""
    dead_letters: Guarantee = "at_least_once"
    """The same for records that could not be learned from."""
    transaction_timeout_ms: Annotated[int, Field(ge=10_000, le=3_600_000)] = 900_000
    """After so long without the job the broker gives a transaction up, and what is in it is lost;
    at most the broker's transaction.max.timeout.ms, 15 minutes unless it was changed."""


class Checkpoints(Checked):
    """What a restart goes on from."""

    interval_ms: Annotated[int, Field(ge=100, le=86_400_000)] = 5000
    """Time between the starts of two checkpoints."""
    directory: str | None = None
    """A URI that every process of the cluster reaches; null: the cluster's own setting."""
