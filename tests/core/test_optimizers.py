"""Optimizers and schedules against their textbook formulas."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from flink_ol.core.config import (
    AdaGrad,
    Adam,
    AdamW,
    Constant,
    Cosine,
    Exponential,
    Ftrl,
    InverseScaling,
    Momentum,
    Nesterov,
    RmsProp,
    Sgd,
    Step,
)
from flink_ol.core.optimizers import derived, padded, repeated, schedules, step
from flink_ol.core.optimizers.kind import Kind

GRADIENTS = [0.5, -0.25, 1.5, 0.0, -2.0]


def walk(kind: Kind) -> list[tuple[float, float, float]]:
    """Weight and accumulators after each of the gradients."""
    path, at = [], (0.0, 0.0, 0.0)
    for t, gradient in enumerate(GRADIENTS, 1):
        at = step(kind.code, padded(kind.parameters), *at, gradient, kind.learning_rate, float(t))
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


@pytest.mark.parametrize("optimizer", [AdaGrad(), Ftrl(), Ftrl(refresh="late")])
def test_a_gradient_that_counts_thrice_adds_to_the_sums_like_three(
    optimizer: AdaGrad | Ftrl,
) -> None:
    kind, gradient = optimizer.kind(), 0.7
    thrice = step(
        kind.code, repeated(padded(kind.parameters), 3.0), 0.0, 0.0, 0.0, gradient, 1.0, 1.0
    )
    # from a weight of 0 on, so z is the plain sum of the gradients
    sums = {"squares": 3 * gradient**2, "z": 3 * gradient, "n": 3 * gradient**2}
    expected = [sums[name] for name, _ in kind.accumulators]
    assert list(thrice[1 : 1 + len(expected)]) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize("optimizer", [RmsProp(), Adam(), AdamW()])
def test_a_mean_square_below_zero_counts_as_none(optimizer: RmsProp | Adam | AdamW) -> None:
    kind = optimizer.kind()
    names = [name for name, _ in kind.accumulators]
    at = dict.fromkeys(("first", "second"), 0.0)
    at["first" if names[0] == "mean_square" else "second"] = -0.5
    own = kind.code, padded(kind.parameters)
    merged = step(*own, 1.0, at["first"], at["second"], 2.0, kind.learning_rate, 1_000.0)
    assert merged == step(*own, 1.0, 0.0, 0.0, 2.0, kind.learning_rate, 1_000.0)


def test_momentum_weighs_every_gradient_by_the_steps_since() -> None:
    kind = Momentum(learning_rate=0.1, momentum=0.8).kind()
    n = len(GRADIENTS)
    # the gradient of step i moves the weight in step i and all later ones
    weight = -0.1 * sum(g * sum(0.8**k for k in range(n - i)) for i, g in enumerate(GRADIENTS))
    assert walk(kind)[-1][0] == pytest.approx(weight, rel=1e-14)


def test_nesterov_is_gradient_descent_on_the_point_looked_ahead_to() -> None:
    """Sutskever et al. 2013, seen from the point ahead: w + momentum * v."""
    true, velocity = 0.0, 0.0
    for (ahead, _, _), gradient in zip(
        walk(Nesterov(learning_rate=0.1, momentum=0.8).kind()), GRADIENTS, strict=True
    ):
        velocity = 0.8 * velocity - 0.1 * gradient
        true += velocity
        assert ahead == pytest.approx(true + 0.8 * velocity, rel=1e-13)


def test_rmsprop_divides_by_the_root_of_the_decaying_mean() -> None:
    weight, squares = 0.0, 0.0
    for gradient in GRADIENTS:
        squares = 0.9 * squares + 0.1 * gradient**2
        weight -= 0.1 * gradient / (squares**0.5 + 1e-6)
    last = walk(RmsProp(learning_rate=0.1, decay=0.9, eps=1e-6).kind())[-1]
    assert last[:2] == pytest.approx((weight, squares), rel=1e-14)


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_adam_corrects_weighted_means_for_their_start_at_zero(decay: float) -> None:
    adamw = AdamW(learning_rate=0.1, beta_1=0.8, beta_2=0.9, eps=1e-6, weight_decay=decay)
    adam = Adam(learning_rate=0.1, beta_1=0.8, beta_2=0.9, eps=1e-6)
    weight = 0.0
    for t in range(1, len(GRADIENTS) + 1):
        # the corrected means are means whose weights sum to one
        first = [0.8 ** (t - i) for i in range(1, t + 1)]
        second = [0.9 ** (t - i) for i in range(1, t + 1)]
        mean = sum(w * g for w, g in zip(first, GRADIENTS, strict=False)) / sum(first)
        square = sum(w * g * g for w, g in zip(second, GRADIENTS, strict=False)) / sum(second)
        weight -= 0.1 * (decay * weight + mean / (square**0.5 + 1e-6))
    assert walk(adamw.kind())[-1][0] == pytest.approx(weight, rel=1e-13)
    if decay == 0.0:
        assert walk(adam.kind()) == walk(adamw.kind())


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
        assert weight == derived(kind.code, padded(kind.parameters), math.nan, z, n)


def test_only_fresh_ftrl_derives_its_weights() -> None:
    assert Ftrl().kind().derived
    for optimizer in (Sgd(), AdaGrad(), Ftrl(refresh="late")):
        assert not optimizer.kind().derived
    kind = Ftrl().kind()
    for weight, z, n in walk(kind):
        assert derived(kind.code, padded(kind.parameters), math.nan, z, n) == weight


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
    assert schedules.factor(code, padded(own), t) == pytest.approx(expected, rel=1e-14)
