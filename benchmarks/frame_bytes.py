"""What ``weights.numbers`` saves and costs: bytes a weights frame, and the progressive log loss.

The replay of ``benchmarks.merging``, with every frame encoded and decoded on its way as the job
does it: workers take turns, and weights come back a number of batches late.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, get_args

from benchmarks.compression import Plan
from benchmarks.merging import Turns, deal, stream
from flink_ol.core.learner import Learner
from flink_ol.core.messages import Frame
from flink_ol.core.quantisation import Numbers
from flink_ol.core.training import Async, Local, Training
from flink_ol.job.spec import Spec
from flink_ol.wire.frames import decode_frame, encode_frame

OPTIMIZERS: tuple[dict[str, Any], ...] = (
    {"name": "sgd", "learning_rate": 0.02},
    {"name": "adagrad", "learning_rate": 0.02},
)
SETTINGS: tuple[Numbers | None, ...] = (None, *get_args(Numbers))


class _Passed(Turns):
    """Frames pass as bytes, which are counted."""

    def __init__(
        self, learner: Learner, training: Training, late: int, numbers: Numbers | None
    ) -> None:
        super().__init__(learner, training.workers, late, training, numbers)
        self.bytes: dict[str, list[int]] = {"whole": [], "change": []}

    def published(self, frame: Frame) -> Frame:
        encoded = encode_frame(frame)
        self.bytes["whole" if frame.parent is None else "change"].append(len(encoded))
        return decode_frame(encoded)


def figures(plan: Plan, tell: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """Bytes a frame, log loss and accuracy for each mode, optimizer and setting."""
    payloads, sections = stream(plan.workload, plan.samples)
    network = sections.get("model", {}).get("family") == "mlp"
    own = sections.get("optimizer", {})
    for optimizer in (own,) if network else OPTIMIZERS:
        fields: Mapping[str, Any] = {"name": "sent", **sections, "optimizer": optimizer}
        spec = Spec.model_validate(fields)
        learner = Learner(spec.learning, spec.metrics.evaluation)
        dealt = deal(spec, payloads, plan.workers)
        rounds = Async(workers=plan.workers, update_samples=plan.interval)
        for training in (Local(workers=plan.workers), rounds):
            for numbers in SETTINGS:
                turns = _Passed(learner, training, plan.late, numbers)
                found = turns.replay(dealt, plan.interval)
                frames = [size for sizes in turns.bytes.values() for size in sizes]
                changes = turns.bytes["change"]
                told = {
                    "mode": training.mode,
                    "optimizer": optimizer["name"],
                    "numbers": numbers or "exact",
                    "frames": len(frames),
                    "changes": len(changes),
                    "bytes": round(sum(frames) / len(frames)),
                    "bytes_of_change": round(sum(changes) / max(len(changes), 1)),
                    "log_loss": round(float(found["log_loss"]), 4),
                    "accuracy": round(float(found["accuracy"]), 4),
                }
                tell(", ".join(f"{name} {figure}" for name, figure in told.items()))
                yield told


def table(plan: Plan, tell: Callable[[str], None]) -> str:
    """The figures in Markdown."""
    lines = [
        "| mode, optimizer | changes | bytes a change | bytes a frame | share | log loss "
        "| accuracy |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    exact = 1
    for found in figures(plan, tell):
        if found["numbers"] == "exact":
            exact = found["bytes"]
        lines.append(
            f"| {found['mode']}, {found['optimizer']} | {found['numbers']} "
            f"| {found['bytes_of_change']:,} | {found['bytes']:,} "
            f"| {100 * found['bytes'] / exact:.0f} % | {found['log_loss']:.4f} "
            f"| {100 * found['accuracy']:.2f} |"
        )
    return "\n".join(lines) + "\n"
