"""What is to be learned and how: the part of the specification that the core knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le

from flink_ol.core.expiry import Expiry
from flink_ol.core.families import FmModel, HiddenLayer, LinearModel, MlpModel, Model
from flink_ol.core.features.admission import Admission
from flink_ol.core.features.crossing import parts
from flink_ol.core.features.text import TextField
from flink_ol.core.fields import ConfigError, Section
from flink_ol.core.losses import Loss, LossSection, check_loss, chosen
from flink_ol.core.optimizers import (
    AdaGrad,
    Adam,
    AdamW,
    Adaptive,
    Ftrl,
    Momentum,
    Nesterov,
    Optimizer,
    RmsProp,
    Sgd,
)
from flink_ol.core.optimizers.schedules import (
    Constant,
    Cosine,
    Exponential,
    InverseScaling,
    Schedule,
    Step,
)

Task = Literal["binary", "multiclass", "regression"]
Classes = Annotated[int, Ge(2)] | tuple[int | str, ...] | None

_MOST_CLASSES = 100_000


@dataclass(frozen=True, kw_only=True)
class Features(Section):
    """How named values become numbers."""

    scale: Literal["standard", "min_max", "none"] = "standard"
    """standard: numbers minus their running mean, divided by their running deviation.
    min_max: their place between the least and the most met so far, 0 to 1."""
    missing: Literal["skip", "zero", "mean"] = "skip"
    """Numbers that other samples had and this one lacks: left out, 0, or their running mean."""
    intercept: bool = True
    """Whether the model has one weight that belongs to no feature."""
    hash_bits: Annotated[int, Ge(1), Le(30)] | None = None
    """Features are told apart by this many bits of their name's hash; null: by all 64."""
    names_kept: Annotated[int, Ge(0), Le(1_000_000)] = 100_000
    """Names of features kept with the model, of 64 bytes each on the average."""
    text: tuple[TextField, ...] = ()
    """Fields whose values are texts: their words become features, FIELD~WORD."""
    crosses: tuple[str, ...] = ()
    """Features of fields together: a*b adds one for every value of a with every value of b."""

    admission: Admission | None = None
    """How often a feature must be met before it is learned; null: once."""
    expiry: Expiry | None = None
    """After what time without samples a feature is dropped; null: never."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for cross in self.crosses:
            parts(cross)
        fields = [field.field for field in self.text]
        if len(set(fields)) < len(fields):
            raise ConfigError("text", fields, "every field once")


@dataclass(frozen=True, kw_only=True)
class Learning(Section):
    """A learning task with everything that decides what comes out."""

    task: Task
    """What the label is."""
    classes: Classes = None
    """Binary: two labels, negative first. Multiclass: a number, or the labels."""
    loss: LossSection | None = None
    """What an error costs; null: by the task: logistic, softmax or squared."""
    model: Model = field(default_factory=LinearModel)
    """The family of functions to learn from."""
    features: Features = field(default_factory=Features)
    """How named values become numbers."""
    optimizer: Optimizer = field(default_factory=Sgd)
    """How a gradient becomes a step."""
    seed: Annotated[int, Ge(0)] = 0
    """Of everything random."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_classes(self.task, self.classes)
        check_loss(self.task, self.loss.name if self.loss else None)
        check_optimizer(self.optimizer.to_json(), self.model.to_json())

    @property
    def chosen_loss(self) -> Loss:
        """The loss, chosen or by the task."""
        return chosen(self.task, self.loss)

    @property
    def outputs(self) -> int:
        """How many raw scores the model gives: one, or one per class."""
        return self.class_count if self.task == "multiclass" else 1

    @property
    def class_count(self) -> int:
        """Two for binary tasks, 0 for regression."""
        if self.task != "multiclass":
            return 2 if self.task == "binary" else 0
        return self.classes if isinstance(self.classes, int) else len(self.classes or ())


def check_optimizer(optimizer: Mapping[str, Any], model: Mapping[str, Any]) -> None:
    """ConfigError unless ``optimizer`` can do what ``model`` asks for; both as JSON."""
    name = optimizer.get("name", "sgd")
    if name == "adaptive" and model.get("family", "linear") != "linear":
        allowed = "another optimizer: adaptive is for the model family linear"
        raise ConfigError("optimizer.name", name, allowed)
    if name == "ftrl" and model.get("family") in ("fm", "mlp"):
        beta, l2 = optimizer.get("beta", 1.0), optimizer.get("l2", 1.0)
        if beta == l2 == 0.0:
            allowed = f"more than 0 here or in optimizer.l2: {model['family']} begins at random"
            raise ConfigError("optimizer.beta", beta, allowed)
    unable = {"ftrl": ("l1",), "adaptive": ("l1", "l2", "clip_value", "clip_norm")}.get(name, ())
    for key in unable:
        if model.get(key):
            own = ", it has its own in optimizer.l1" if name == "ftrl" else ""
            raise ConfigError(
                f"model.{key}", model[key], f"none: optimizer {name} does without{own}"
            )


def check_classes(task: Task, classes: Classes) -> None:
    """ConfigError unless ``classes`` suits ``task``."""
    if task == "regression":
        if classes is not None:
            raise ConfigError("classes", classes, "null: regression has none")
    elif task == "binary":
        if classes is not None and not (isinstance(classes, tuple) and len(classes) == 2):
            raise ConfigError("classes", classes, "null or two labels, negative first")
    elif classes is None:
        raise ConfigError("classes", None, "a number or a list of labels: multiclass needs them")
    elif isinstance(classes, tuple) and len(classes) < 2:
        raise ConfigError("classes", classes, "at least two labels")
    if isinstance(classes, tuple) and len(set(map(str, classes))) < len(classes):
        raise ConfigError("classes", classes, "labels that all differ")
    count = len(classes) if isinstance(classes, tuple) else classes or 0
    if count > _MOST_CLASSES:
        raise ConfigError("classes", count, f"at most {_MOST_CLASSES} classes")


__all__ = [
    "AdaGrad",
    "Adam",
    "AdamW",
    "Adaptive",
    "Admission",
    "Classes",
    "ConfigError",
    "Constant",
    "Cosine",
    "Expiry",
    "Exponential",
    "Features",
    "FmModel",
    "HiddenLayer",
    "Ftrl",
    "InverseScaling",
    "Learning",
    "LinearModel",
    "MlpModel",
    "LossSection",
    "Model",
    "Momentum",
    "Nesterov",
    "Optimizer",
    "RmsProp",
    "Schedule",
    "Sgd",
    "Step",
    "Task",
    "TextField",
    "check_classes",
    "check_loss",
    "check_optimizer",
]
