"""Optimizers and schedules against their textbook formulas."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from flink_ol.core.config import (
    AdaGrad,
    Constant,
    Cosine,
    Exponential,
    Ftrl,
    InverseScaling,
    Sgd,
    Step,
)
from flink_ol.core.optimizers import PARAMETERS, derived, schedules, step
from flink_ol.core.optimizers.kind import Kind

GRADIENTS = [0.5, -0.25, 1.5, 0.0, -2.0]


def parameters(kind: Kind) -> tuple[float, ...]:
    return tuple(map(float, kind.parameters)) + (0.0,) * (PARAMETERS - len(kind.parameters))


def walk(kind: Kind) -> list[tuple[float, float, float]]:
    """Weight and accumulators after each of the gradients."""
    path, at = [], (0.0, 0.0, 0.0)
    for t, gradient in enumerate(GRADIENTS, 1):
        at = step(kind.code, parameters(kind), *at, gradient, kind.learning_rate, float(t))
        path.append(at)
    return path


def test_sgd_goes_down_the_gradient() -> None:
    weight = walk(Sgd(learning_rate=0.1).kind())[-1][0]
    assert weight == pytest.approx(-0.1 * sum(GRADIENTS), rel=1e-15)


def test_adagrad_divides_by_the_root_of_the_squares_and_eps() -> None:
    weight, squares = 0.0, 0.0
    for gradient in GRADIENTS:
        squares += gradient**2
        weight -= 0.1 * gradient / (squares + 1e-8) ** 0.5
    last = walk(AdaGrad(learning_rate=0.1).kind())[-1]
    assert last[:2] == pytest.approx((weight, squares), rel=1e-14)


@pytest.mark.parametrize("l1", [0.0, 0.4, 10.0])
def test_ftrl_minimises_its_proximal_objective(l1: float) -> None:
    """The weight is the minimum of z w + l1 |w| + ((beta + sqrt n) / alpha + l2) w^2 / 2."""
    optimizer = Ftrl(alpha=0.2, beta=1.5, l1=l1, l2=0.3)
    for weight, z, n in walk(optimizer.kind()):
        curvature = (1.5 + math.sqrt(n)) / 0.2 + 0.3

        def objective(w: float, z: float = z, curvature: float = curvature) -> float:
            return z * w + l1 * abs(w) + curvature * w * w / 2

        assert all(
            objective(weight) <= objective(weight + shift) + 1e-15
            for shift in (1e-4, -1e-4, 0.1, -0.1)
        )


def test_late_ftrl_is_one_visit_behind() -> None:
    late = walk(Ftrl(refresh="late", l2=0.0).kind())
    kind = Ftrl(l2=0.0).kind()
    for (_, z, n), (weight, _, _) in pairwise(late):
        assert weight == derived(kind.code, parameters(kind), math.nan, z, n)


def test_only_fresh_ftrl_derives_its_weights() -> None:
    assert Ftrl().kind().derived
    for optimizer in (Sgd(), AdaGrad(), Ftrl(refresh="late")):
        assert not optimizer.kind().derived
    kind = Ftrl().kind()
    for weight, z, n in walk(kind):
        assert derived(kind.code, parameters(kind), math.nan, z, n) == weight


@pytest.mark.parametrize(
    ("schedule", "t", "expected"),
    [
        (Constant(), 10**9, 1.0),
        (InverseScaling(power=0.5), 0, 1.0),
        (InverseScaling(power=0.5), 99, 0.1),
        (Exponential(half_life=100), 0, 1.0),
        (Exponential(half_life=100), 300, 0.125),
        (Exponential(half_life=100, floor=0.2), 300, 0.2),
        (Cosine(samples=100), 0, 1.0),
        (Cosine(samples=100), 50, 0.5),
        (Cosine(samples=100, floor=0.1), 100, 0.1),
        (Cosine(samples=100, floor=0.1), 10**6, 0.1),
        (Step(every=10, factor=0.5), 9, 1.0),
        (Step(every=10, factor=0.5), 10, 0.5),
        (Step(every=10, factor=0.5), 39, 0.125),
    ],
)
def test_schedules_are_what_they_say(
    schedule: Constant | InverseScaling | Exponential | Cosine | Step, t: int, expected: float
) -> None:
    code, own = schedule.compiled()
    padded = tuple(map(float, own)) + (0.0,) * (PARAMETERS - len(own))
    assert schedules.factor(code, padded, t) == pytest.approx(expected, rel=1e-14)
