"""What ``training.compression`` saves and costs: bytes an update, and the progressive log loss.

The replay of ``benchmarks.merging``, with every update encoded and decoded on its way as the job
does it: workers take turns, and weights come back a number of batches late.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks.merging import Turns, deal, stream
from flink_ol.core.learner import Learner
from flink_ol.core.lossy import Compression
from flink_ol.core.messages import Update
from flink_ol.core.samples import Samples
from flink_ol.core.training import Async, Local, Training
from flink_ol.job.spec import Spec
from flink_ol.wire.updates import decode_update, encode_update

# the gradient of an update is averaged over its samples, and a step of AdaGrad takes its size from
# those before it; in local sgd steps at every sample
CASES: tuple[tuple[type[Local] | type[Async], dict[str, Any]], ...] = (
    (Local, {"name": "sgd", "learning_rate": 0.02}),
    (Local, {"name": "adagrad", "learning_rate": 0.02}),
    (Async, {"name": "adagrad", "learning_rate": 0.02}),
)
SETTINGS: tuple[Compression | None, ...] = (
    None,
    Compression(numbers="float16"),
    Compression(numbers="int8"),
    Compression(top=0.1),
    Compression(numbers="int8", top=0.1),
)


class Plan(NamedTuple):
    """What to find out."""

    workload: str  # a name, or a path of lines of {"x", "y"}, gzip or not
    workers: int
    interval: int  # samples in an update
    samples: int  # of the stream, at most
    late: int  # batches of a worker before weights are back


class _Passed(Turns):
    """Updates pass as bytes, which are counted but for names: those are told once a feature."""

    def __init__(self, learner: Learner, training: Training, late: int) -> None:
        super().__init__(learner, training.workers, late, training)
        self.bytes = self.updates = 0

    def passed(self, update: Update) -> Update:
        encoded = encode_update(update)
        # a decoder tells its names once, so only the first replay of the same samples has them all
        self.bytes += len(encode_update(update._replace(names={}, others={})))
        self.updates += 1
        return decode_update(encoded)


def figures(plan: Plan, tell: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """Bytes an update without names, log loss and accuracy for each case and compression."""
    payloads, sections = stream(plan.workload, plan.samples)
    dealt: list[Samples] = []
    for mode, optimizer in CASES:
        fields: Mapping[str, Any] = {"name": "sent", **sections, "optimizer": optimizer}
        spec = Spec.model_validate(fields)
        learner = Learner(spec.learning, spec.metrics.evaluation)
        dealt = dealt or deal(spec, payloads, plan.workers)
        for settings in SETTINGS:
            training = mode(workers=plan.workers, compression=settings)
            if isinstance(training, Async):
                training = Async(
                    workers=plan.workers, compression=settings, update_samples=plan.interval
                )
            at = {"mode": training.mode, "optimizer": optimizer["name"], "sent": _named(settings)}
            found = at | _replayed(learner, training, dealt, plan)
            tell(", ".join(f"{name} {figure}" for name, figure in found.items()))
            yield found


def _replayed(
    learner: Learner, training: Training, dealt: Sequence[Samples], plan: Plan
) -> dict[str, Any]:
    turns = _Passed(learner, training, plan.late)
    found = turns.replay(dealt, plan.interval)
    return {
        "bytes": round(turns.bytes / turns.updates),
        "log_loss": round(float(found["log_loss"]), 4),
        "accuracy": round(float(found["accuracy"]), 4),
    }


def _named(settings: Compression | None) -> str:
    if settings is None:
        return "everything"
    parts = [settings.numbers] if settings.numbers else []
    return ", ".join([*parts, *([f"top {settings.top:g}"] if settings.top else [])])


def table(plan: Plan, tell: Callable[[str], None]) -> str:
    """The figures in Markdown."""
    lines = [
        "| mode, optimizer | sent | bytes an update | share | log loss | accuracy |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    whole = 1
    for found in figures(plan, tell):
        if found["sent"] == _named(None):
            whole = found["bytes"]
        lines.append(
            f"| {found['mode']}, {found['optimizer']} | {found['sent']} | {found['bytes']:,} "
            f"| {100 * found['bytes'] / whole:.0f} % | {found['log_loss']:.4f} "
            f"| {100 * found['accuracy']:.2f} |"
        )
    return "\n".join(lines) + "\n"
