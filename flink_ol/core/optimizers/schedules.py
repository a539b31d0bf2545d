"""How the learning rate changes with the number of samples learned.

A schedule is a factor f(t) of the rate, t = 0, 1, ... samples learned before this one. It drives
the rate of the weights; the intercept keeps its own constant rate, as in River.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le

from flink_ol.core.compiled import njit
from flink_ol.core.fields import Section, Tagged

_CONSTANT, _INVERSE_SCALING, _EXPONENTIAL, _COSINE, _STEP = range(5)


@dataclass(frozen=True, kw_only=True)
class Constant(Section):
    """The rate stays as it is."""

    name: Literal["constant"] = "constant"

    def compiled(self) -> tuple[int, tuple[float, ...]]:
        """Code and parameters for :func:`factor`."""
        return _CONSTANT, ()


@dataclass(frozen=True, kw_only=True)
class InverseScaling(Section):
    """f(t) = 1 / (t + 1)^power: scikit-learn's and River's inverse scaling."""

    name: Literal["inverse_scaling"] = "inverse_scaling"
    power: Annotated[float, Gt(0), Le(2)] = 0.5

    def compiled(self) -> tuple[int, tuple[float, ...]]:
        """Code and parameters for :func:`factor`."""
        return _INVERSE_SCALING, (self.power,)


@dataclass(frozen=True, kw_only=True)
class Exponential(Section):
    """f(t) = 2^(-t / half_life), not below ``floor``."""

    name: Literal["exponential"] = "exponential"
    half_life: Annotated[float, Gt(0)]
    """Samples after which the rate is halved."""
    floor: Annotated[float, Ge(0), Le(1)] = 0.0
    """Smallest share of the rate."""

    def compiled(self) -> tuple[int, tuple[float, ...]]:
        """Code and parameters for :func:`factor`."""
        return _EXPONENTIAL, (self.half_life, self.floor)


@dataclass(frozen=True, kw_only=True)
class Cosine(Section):
    """Half a cosine from 1 to ``floor`` over ``samples``, then ``floor``."""

    name: Literal["cosine"] = "cosine"
    samples: Annotated[int, Gt(0)]
    """Samples until the floor is reached."""
    floor: Annotated[float, Ge(0), Le(1)] = 0.0
    """Share of the rate that stays."""

    def compiled(self) -> tuple[int, tuple[float, ...]]:
        """Code and parameters for :func:`factor`."""
        return _COSINE, (float(self.samples), self.floor)


@dataclass(frozen=True, kw_only=True)
class Step(Section):
    """f(t) = factor^(t // every)."""

    name: Literal["step"] = "step"
    every: Annotated[int, Gt(0)]
    """Samples between two steps."""
    factor: Annotated[float, Gt(0), Le(1)] = 0.5

    def compiled(self) -> tuple[int, tuple[float, ...]]:
        """Code and parameters for :func:`factor`."""
        return _STEP, (float(self.every), self.factor)


Schedule = Annotated[Constant | InverseScaling | Exponential | Cosine | Step, Tagged("name")]


@njit
def factor(kind: int, parameters: tuple[float, ...], t: int) -> float:
    """f(t) of the schedule ``kind`` with its ``parameters``."""
    if kind == _CONSTANT:
        return 1.0
    if kind == _INVERSE_SCALING:
        return 1.0 / (t + 1.0) ** parameters[0]
    if kind == _EXPONENTIAL:
        return max(2.0 ** (-t / parameters[0]), parameters[1])
    if kind == _COSINE:
        progress = min(1.0, t / parameters[0])
        return parameters[1] + (1.0 - parameters[1]) * 0.5 * (1.0 + math.cos(math.pi * progress))
    return parameters[1] ** (t // int(parameters[0]))
