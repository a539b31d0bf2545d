"""Settings to learn with: every task with every optimizer, scaled and not."""

from __future__ import annotations

import pytest

from flink_ol.core.config import (
    AdaGrad,
    Adam,
    AdamW,
    Adaptive,
    Cosine,
    Exponential,
    Features,
    Ftrl,
    InverseScaling,
    Learning,
    Momentum,
    Nesterov,
    Optimizer,
    RmsProp,
    Sgd,
    Step,
    Task,
)
from tests.core.streams import NAMED

OPTIMIZERS: dict[str, Optimizer] = {
    "sgd": Sgd(learning_rate=0.02, intercept_learning_rate=0.01),
    "sgd-inverse": Sgd(learning_rate=0.1, schedule=InverseScaling(power=0.4)),
    "sgd-exponential": Sgd(learning_rate=0.02, schedule=Exponential(half_life=50, floor=0.1)),
    "sgd-cosine": Sgd(learning_rate=0.02, schedule=Cosine(samples=120, floor=0.05)),
    "sgd-step-warm": Sgd(learning_rate=0.02, schedule=Step(every=60, factor=0.3), warm_up=20),
    "sgd-features": Sgd(learning_rate=0.02, feature_learning_rates={NAMED: 0.05}),
    "momentum": Momentum(learning_rate=0.005, schedule=Step(every=60, factor=0.3)),
    "nesterov": Nesterov(learning_rate=0.005, momentum=0.8, intercept_learning_rate=0.01),
    "rmsprop": RmsProp(learning_rate=0.01, warm_up=20),
    "adam": Adam(learning_rate=0.02, schedule=InverseScaling(power=0.2)),
    "adamw": AdamW(learning_rate=0.02, weight_decay=0.1),
    "adaptive": Adaptive(),
    "adaptive-power": Adaptive(learning_rate=0.3, power_t=0.4),
    "adagrad": AdaGrad(learning_rate=0.1),
    "ftrl": Ftrl(alpha=0.1, l1=0.3),
    "ftrl-late": Ftrl(alpha=0.1, l1=0.3, refresh="late"),
    "ftrl-intercept": Ftrl(alpha=0.1, l1=0.1, l2=0.0, intercept_learning_rate=None),
    "ftrl-late-intercept": Ftrl(intercept_learning_rate=None, refresh="late"),
}
TASKS: tuple[Task, ...] = ("binary", "multiclass", "regression")


def learning(task: Task, optimizer: str, scale: bool = True, **rest: object) -> Learning:
    fields = {
        "task": task,
        "classes": 4 if task == "multiclass" else None,
        "features": Features(scale="standard" if scale else "none"),
        "optimizer": OPTIMIZERS[optimizer],
        **rest,
    }
    return Learning(**fields)  # type: ignore[arg-type]


every = pytest.mark.parametrize(
    "settings",
    [
        pytest.param(learning(task, name, scale), id=f"{task}-{name}-{scale}")
        for task in TASKS
        for name in OPTIMIZERS
        for scale in (True, False)
    ],
)
each = pytest.mark.parametrize(
    "settings",
    [
        pytest.param(learning(task, name), id=f"{task}-{name}")
        for task in TASKS
        for name in OPTIMIZERS
    ],
)
