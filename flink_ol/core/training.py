"""How shards learn together: one section a mode."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from annotated_types import Ge, Le

from flink_ol.core.fields import ConfigError, Section, Tagged
from flink_ol.core.lossy import Compression

Milliseconds = Annotated[int, Ge(1), Le(86_400_000)]


@dataclass(frozen=True, kw_only=True)
class _Shared(Section):
    """What every mode has."""

    described: ClassVar[Mapping[str, str]] = {
        "mode": "Which of the ways to learn together.",
        "workers": "Parallel trainers.",
        "batch_window_ms": "How long samples are gathered before they cross into Python together.",
        "compression": "What trainers leave out of their updates and send later; null: nothing, "
        "and nothing is lost. Not for mode exact.",
    }

    workers: Annotated[int, Ge(1), Le(128)] = 2
    batch_window_ms: Annotated[int, Ge(5), Le(60_000)] = 50
    compression: Compression | None = None


@dataclass(frozen=True, kw_only=True)
class Local(_Shared):
    """Every worker steps sample by sample on its replica, and the differences are merged."""

    mode: Literal["local"] = "local"
    scale_rate: bool = True
    """Whether steps grow with the workers at work, as averaging divides them; not adaptive's."""


@dataclass(frozen=True, kw_only=True)
class Exact(_Shared):
    """Workers decode and pack; one learner takes every step, sample by sample, in one order."""

    mode: Literal["exact"] = "exact"


@dataclass(frozen=True, kw_only=True)
class _Gradients(_Shared):
    """What the modes have whose updates are gradients, the model taking the step."""

    described: ClassVar[Mapping[str, str]] = {
        **_Shared.described,
        "gradient": "mean: a step follows the gradients of its samples divided by their number; "
        "sum: their sum.",
        "waiting_samples": "The most samples of a partition that wait for their turn; the source "
        "is slowed from half of them on, and beyond all of them the job fails. null: 200,000, or "
        "four rounds or updates where that is more; 2,000,000 with passes, which keep all samples.",
    }

    gradient: Literal["mean", "sum"] = "mean"
    waiting_samples: Annotated[int, Ge(1)] | None = None

    @property
    @abstractmethod
    def turn_samples(self) -> int | None:
        """The most samples of a partition that go together; None: all of a pass."""

    @property
    def most_waiting(self) -> int:
        """``waiting_samples``, or what holds where none are given."""
        if self.waiting_samples is not None:
            return self.waiting_samples
        if passes_of(self) is not None:
            return 2_000_000
        return max(200_000, 4 * (self.turn_samples or 0))


@dataclass(frozen=True, kw_only=True)
class Sync(_Gradients):
    """Exact distributed gradient descent: a step is the sum of every shard's gradient at it."""

    mode: Literal["sync"] = "sync"
    round_samples: Annotated[int, Ge(1)] | None = 256
    """Samples of each partition in a round; null: all of a pass."""
    round_timeout_ms: Milliseconds | None = 5_000
    """How long a round waits for a partition without samples; null: for ever, so that results
    repeat to the bit whatever happens."""
    passes: Annotated[int, Ge(1), Le(1_000_000)] | None = None
    """How often to learn from what the topic holds when the job starts; null: from everything that
    comes, once."""

    @property
    def turn_samples(self) -> int | None:
        return self.round_samples

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.round_samples is None and self.passes is None:
            raise ConfigError("round_samples", None, "a number: without passes there is no end")
        endless = self.passes is None  # a pass may be shorter than a round
        if endless and self.most_waiting < (self.round_samples or 0):
            allowed = f"at least round_samples, {self.round_samples}: a round's samples wait for it"
            raise ConfigError("waiting_samples", self.waiting_samples, allowed)


@dataclass(frozen=True, kw_only=True)
class Bounded(_Gradients):
    """A step per update, computed on a model that no shard is too far ahead of."""

    mode: Literal["bounded"] = "bounded"
    staleness: Annotated[int, Ge(0), Le(1_000_000)] = 4
    """How many updates a partition may be ahead of the slowest one at work."""
    update_samples: Annotated[int, Ge(1)] = 256
    """The most samples in an update."""
    idle_ms: Milliseconds = 2_000
    """A partition without an update for so long is not waited for."""

    @property
    def turn_samples(self) -> int:
        return self.update_samples


@dataclass(frozen=True, kw_only=True)
class Async(_Gradients):
    """A step per update, computed on whatever model the worker holds."""

    mode: Literal["async"] = "async"
    update_samples: Annotated[int, Ge(1)] = 256
    """The most samples in an update."""

    @property
    def turn_samples(self) -> int:
        return self.update_samples


Training = Annotated[Local | Sync | Bounded | Async | Exact, Tagged("mode")]


class Crossing(NamedTuple):
    """How samples come to the trainers."""

    gathered: int | None = None  # the most records of a partition that come together; None: any
    records: int | None = None  # the most of them in a batch; None: all
    batches: int = 1000  # the most that a trainer takes before it hears what came on other ways


def crossing_of(training: Any, many_samples: bool) -> Crossing:
    """``many_samples``: whether a record may hold many.

    Where samples wait for their turn, what a trainer takes before it can hear of its turn is a
    quarter of one, as far as records allow: so it can be slowed down without standing still.
    """
    turn = training.turn_samples if isinstance(training, Sync | Bounded) else None
    if turn is None or passes_of(training) is not None:
        return Crossing()
    return Crossing(8, 1, 1) if many_samples else Crossing(turn, -(-turn // 8), 2)


def passes_of(training: Any) -> int | None:
    """How often to learn from a bounded input; None: the input is endless."""
    return training.passes if isinstance(training, Sync) else None


def check_training(
    training: Mapping[str, Any],
    model: Mapping[str, Any],
    optimizer: Mapping[str, Any],
    features: Mapping[str, Any],
) -> None:
    """ConfigError unless all the others can be had in the mode of ``training``; all as JSON."""
    mode, family = training.get("mode", "local"), model.get("family", "linear")
    if mode == "exact" and family not in ("linear", "fm"):
        allowed = f"another mode: one learner would take every step of the family {family}"
        raise ConfigError("training.mode", mode, allowed)
    if mode == "exact" and features.get("expiry") is not None:
        allowed = "another mode: its learner keeps every feature, so none can have features.expiry"
        raise ConfigError("training.mode", mode, allowed)
    if mode in ("sync", "bounded", "async") and optimizer.get("name", "sgd") == "adaptive":
        allowed = "local or exact: the optimizer adaptive steps sample by sample"
        raise ConfigError("training.mode", mode, allowed)
    if training.get("compression") is not None:
        _check_compression(mode, training["compression"], optimizer, features)


def _check_compression(
    mode: str, compression: object, optimizer: Mapping[str, Any], features: Mapping[str, Any]
) -> None:
    allowed = None
    if mode == "exact":
        allowed = "null: mode exact sends samples and takes every step itself"
    elif mode == "local" and optimizer.get("name", "sgd") == "ftrl":
        allowed = (
            "null, or a mode of gradients: what ftrl tells in mode local are sums that its "
            "weights follow from, and they are never rounded"
        )
    elif features.get("expiry") is not None:
        allowed = "null, or no features.expiry: what is kept back would bring features back"
    if allowed is not None:
        raise ConfigError("training.compression", compression, allowed)
