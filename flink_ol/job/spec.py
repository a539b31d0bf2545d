"""The specification of a job: one YAML file, checked as a whole before anything starts."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AliasPath,
    BeforeValidator,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from flink_ol.core.config import (
    Classes,
    ConfigError,
    Features,
    Learning,
    LinearModel,
    LossSection,
    Model,
    Task,
    check_classes,
    check_loss,
    check_optimizer,
)
from flink_ol.core.optimizers import Optimizer, Sgd
from flink_ol.core.rounded_frames import check_numbers
from flink_ol.core.training import Local, check_training
from flink_ol.job.problems import Problem, SpecError, in_words, not_allowed
from flink_ol.job.sections import (
    JSON,
    ByFormat,
    Checked,
    Checkpoints,
    Delivery,
    Kafka,
    Metrics,
    Samples,
    Snapshots,
    StartFrom,
    TrainingSection,
    Weights,
    without_start,
)
from flink_ol.job.yaml_text import read_yaml
from flink_ol.wire.errors import WireError
from flink_ol.wire.kafka_settings import client_arguments
from flink_ol.wire.topics import NAME_PATTERN, Topics


class Spec(Checked):
    """A job: everything there is to say about it."""

    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    """Of the job, and the beginning of its topics' names."""
    kafka: Kafka = Kafka()
    samples: Annotated[Samples, ByFormat()] = JSON
    """What comes in."""
    task: Task = "binary"
    """What the label is."""
    classes: Classes = None
    """Binary: two labels, negative first. Multiclass: a number, or the labels."""
    loss: LossSection | None = None
    """What an error costs; null: by the task: logistic, softmax or squared."""
    model: Annotated[Model, BeforeValidator(without_start)] = LinearModel()
    start_from: Annotated[
        StartFrom | None, Field(validation_alias=AliasPath("model", "start_from"))
    ] = None
    """What a new job begins with; null: nothing."""
    features: Features = Features()
    optimizer: Optimizer = Sgd()
    training: TrainingSection = Local()
    """How shards learn together."""
    weights: Weights = Weights()
    snapshots: Snapshots = Snapshots()
    metrics: Metrics = Metrics()
    checkpoints: Checkpoints = Checkpoints()
    delivery: Delivery = Delivery()
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0
    """Of everything random."""

    @field_validator("classes", mode="before")
    @classmethod
    def _refuse_truth_values(cls, classes: Any) -> Any:
        if isinstance(classes, list) and any(isinstance(label, bool) for label in classes):
            allowed = "labels in quotes: YAML reads yes, no, on and off as truth values"
            raise ConfigError("", classes, allowed)
        return classes

    @model_validator(mode="after")
    def _check_beyond_one_key(self) -> Spec:
        client_arguments(self.kafka.bootstrap_servers, self.kafka.properties)
        check_delivery(self.delivery.transaction_timeout_ms, self.checkpoints.interval_ms)
        check_classes(self.task, self.classes)
        check_loss(self.task, self.loss.name if self.loss else None)
        check_optimizer(self.optimizer.to_json(), self.model.to_json())
        sections = (self.training, self.model, self.optimizer, self.features)
        check_training(*(section.to_json() for section in sections))
        check_numbers(self.weights.numbers, self.training.to_json(), self.optimizer.name)
        return self

    @classmethod
    def load(cls, path: str | Path) -> Spec:
        """The specification in the file ``path``; SpecError with everything that is wrong."""
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SpecError(str(path), [f"cannot be read: {error}"]) from None
        return cls.parse(text, str(path))

    @classmethod
    def parse(cls, text: str, source: str = "specification") -> Spec:
        """The specification in ``text``; ``source`` names it in a SpecError."""
        fields, problems = read_yaml(text, source)
        unset = {problem.key for problem in problems}
        try:
            spec = cls.model_validate(fields)
        except ValidationError as error:
            of_keys = [one for one in error.errors() if one["loc"]]
            found = in_words(of_keys, cls.json_schema(), _PATTERNS)
            wrong = {re.split(r"[.\[]", problem.key)[0] for problem in found}
            found += _beyond_one_key(fields, wrong)
            problems += [problem for problem in found if problem.key not in unset]
        if problems:
            raise SpecError(source, [str(problem) for problem in dict.fromkeys(problems)])
        return spec

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """The JSON schema of the file, with descriptions."""
        schema = cls.model_json_schema()
        start = schema["properties"].pop("start_from")
        # it stands in the section of whatever family
        model = schema["properties"]["model"]
        for reference in model["discriminator"]["mapping"].values():
            member = schema["$defs"][reference.rpartition("/")[2]]
            member["properties"]["start_from"] = start
        model["properties"] = {"start_from": start}
        return schema

    @property
    def learning(self) -> Learning:
        """What decides the model."""
        return Learning(
            task=self.task,
            classes=self.classes,
            loss=self.loss,
            model=self.model,
            features=self.features,
            optimizer=self.optimizer,
            seed=self.seed,
        )

    @property
    def hash(self) -> str:
        """SHA-256 of what decides the model: the learning, and how samples are read."""
        decisive = {
            "learning": self.learning.to_json(),
            "format": self.samples.format,
            "fields": self.samples.fields.to_json(),
        }
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()

    @property
    def topics(self) -> Topics:
        """The names of the job's topics."""
        return Topics(self.name)

    @property
    def warnings(self) -> list[str]:
        """What is allowed and yet may surprise."""
        found = []
        if self.snapshots.interval_ms < self.checkpoints.interval_ms:
            found.append(
                f"snapshots.interval_ms is {self.snapshots.interval_ms}, below "
                f"checkpoints.interval_ms {self.checkpoints.interval_ms}: readers see a snapshot "
                "at the next checkpoint, so several will appear at once"
            )
        if self.delivery.predictions == "exactly_once":
            found.append(
                "delivery.predictions is exactly_once: readers of committed records see an answer "
                "at the next checkpoint, so requests wait for up to checkpoints.interval_ms "
                f"{self.checkpoints.interval_ms} and a little more"
            )
        if self.training.workers > self.samples.partitions:
            found.append(
                f"training.workers is {self.training.workers}, above samples.partitions "
                f"{self.samples.partitions}: workers without a partition stay idle"
            )
        return found


def check_delivery(timeout_ms: int, interval_ms: int) -> None:
    """ConfigError unless a transaction outlives the checkpoint that ends it, and a restart."""
    least = 2 * interval_ms + _RESTART_MS
    if timeout_ms < least:
        allowed = (
            f"at least {least}: a transaction is open from one checkpoint to the end of the next, "
            f"and for a restart between them; checkpoints.interval_ms is {interval_ms}"
        )
        raise ConfigError("delivery.transaction_timeout_ms", timeout_ms, allowed)


_RESTART_MS = 5_000
_NAME_IN_WORDS = "letters, digits, '.', '_' and '-', at most 200, first a letter or a digit"
_SERVERS_IN_WORDS = "HOST:PORT, several with commas between"
_PATTERNS = {
    "name": _NAME_IN_WORDS,
    "kafka.bootstrap_servers": _SERVERS_IN_WORDS,
    "model.start_from.bootstrap_servers": _SERVERS_IN_WORDS,
}


def _beyond_one_key(fields: Mapping[str, Any], wrong: Set[str]) -> list[Problem]:
    """What only several keys together show, where none of them is in ``wrong`` sections."""
    problems = []
    kafka = fields.get("kafka", {})
    if "kafka" not in wrong:
        try:
            client_arguments("", kafka.get("properties", {}))
        except WireError as error:
            key, _, text = str(error).partition(": ")
            problems.append(Problem(key, text))
    if not wrong & {"delivery", "checkpoints"}:
        timeout_ms = fields.get("delivery", {}).get("transaction_timeout_ms")
        interval_ms = fields.get("checkpoints", {}).get("interval_ms")
        try:
            check_delivery(
                Delivery().transaction_timeout_ms if timeout_ms is None else timeout_ms,
                Checkpoints().interval_ms if interval_ms is None else interval_ms,
            )
        except ConfigError as error:
            problems.append(not_allowed(error.key, error.value, error.allowed))
    if not wrong & {"task", "classes"}:
        classes = fields.get("classes")
        try:
            check_classes(
                fields.get("task", "binary"),
                tuple(classes) if isinstance(classes, list) else classes,
            )
        except ConfigError as error:
            problems.append(not_allowed(error.key, error.value, error.allowed))
    if not wrong & {"task", "loss"}:
        try:
            check_loss(fields.get("task", "binary"), (fields.get("loss") or {}).get("name"))
        except ConfigError as error:
            problems.append(not_allowed(error.key, error.value, error.allowed))
    if not wrong & {"model", "optimizer"}:
        try:
            check_optimizer(fields.get("optimizer", {}), fields.get("model", {}))
        except ConfigError as error:
            problems.append(not_allowed(error.key, error.value, error.allowed))
    together = ("training", "model", "optimizer", "features")
    if not wrong & set(together):
        try:
            check_training(*(fields.get(name, {}) for name in together))
        except ConfigError as error:
            problems.append(not_allowed(error.key, error.value, error.allowed))
    if not wrong & {"weights", "training", "optimizer"}:
        numbers = fields.get("weights", {}).get("numbers")
        optimizer = fields.get("optimizer", {}).get("name", "sgd")
        try:
            check_numbers(numbers, fields.get("training", {}), optimizer)
        except ConfigError as error:
            problems.append(not_allowed(error.key, error.value, error.allowed))
    return problems
