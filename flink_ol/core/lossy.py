"""Updates with fewer bytes: less of every number, and fewer of the rows that changed.

Lossy are differences of parameters that are averaged, and gradients. Whatever adds up (counts,
squares, steps, moments, extremes, baselines) is told exactly, as the ledger is. What is not told
is kept back and added to what the same rows say the next time: error feedback (Seide et al. 2014;
Stich et al. 2018), by which all that was learned is told in the end. A feature's row is looked at
when the feature is met, so a step costs what it touches.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np
from annotated_types import Gt, Lt

from flink_ol.core.fields import ConfigError, Section
from flink_ol.core.quantisation import Numbers, as_rows, rounded
from flink_ol.core.state import ArraySpec, Delta

WHOLE = "float64"  # numbers of which nothing is left out
_SMALL = 64  # numbers of an array that belongs to no feature: not worth the trouble


@dataclass(frozen=True, kw_only=True)
class Compression(Section):
    """What trainers leave out of what they send, and send later."""

    numbers: Numbers | None = None
    """How differences and gradients are written: 2 or 1 bytes a number; null: 8, exactly."""
    top: Annotated[float, Gt(0), Lt(1)] | None = None
    """The share of the changed rows that is sent, those that changed most; null: all."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.numbers is None and self.top is None:
            raise ConfigError("numbers", None, "float16 or int8, or a share in top")

    @property
    def code(self) -> str:
        """How the numbers of lossy arrays are to be written."""
        return self.numbers or WHOLE


class Coded(NamedTuple):
    """A delta as it is sent, and what it leaves out."""

    delta: Delta  # without the features that nothing is told of
    sent: Mapping[str, np.ndarray]  # lossy arrays as sent, of all features of the delta given
    residual: Mapping[str, np.ndarray]  # the same rows: what is kept back


def lossy_names(
    specs: Sequence[ArraySpec], parameters: frozenset[str], gradients: bool
) -> frozenset[str]:
    """The arrays of ``specs`` whose differences, or ``gradients``, may be sent in part.

    ``parameters``: names of those that are no statistics and belong to no optimizer.
    """
    return frozenset(
        spec.name
        for spec in specs
        if spec.name in parameters
        and (gradients or spec.merge == "mean")
        and (spec.per_feature or math.prod(spec.shape) > _SMALL)
    )


def lossy(
    specs: Sequence[ArraySpec],
    names: frozenset[str],
    delta: Delta,
    residual: Mapping[str, np.ndarray],
    settings: Compression,
    known: np.ndarray,
) -> Coded:
    """``delta`` and ``residual`` together, as much of it as ``settings`` say.

    ``names``: the lossy arrays among ``specs``. ``residual``: what was kept back of them before,
    rows as in ``delta``. ``known`` (features,) bool: whether the model has the feature; one that
    it has is left out where nothing at all is told of it. What is sent and the residual after
    come to what was learned and the residual before, to rounding.
    """
    per_feature = {spec.name for spec in specs if spec.per_feature} & delta.arrays.keys()
    totals = {name: _total(delta.arrays[name], residual[name]) for name in sorted(names)}
    chosen = {name: _largest(total, settings.top) for name, total in totals.items()}
    told = np.ones(len(delta.keys), bool)
    if settings.top is not None and per_feature <= names:
        told = np.logical_or.reduce([~known, *(chosen[name] for name in sorted(per_feature))])
    arrays, sent, kept_back = dict(delta.arrays), {}, {}
    for name, total in totals.items():
        rows = told if name in per_feature else np.ones(len(total), bool)
        part = np.where(chosen[name].reshape(-1, *[1] * (total.ndim - 1)), total, 0.0)[rows]
        arrays[name] = part if settings.numbers is None else rounded(settings.numbers, part)
        sent[name] = np.zeros_like(total)
        sent[name][rows] = arrays[name]
        kept_back[name] = total - sent[name]
    return Coded(delta._replace(keys=delta.keys[told], arrays=arrays), sent, kept_back)


def _total(difference: np.ndarray, residual: np.ndarray) -> np.ndarray:
    """What is to be told; without the residual where the sum is infinite: it would stay so."""
    with np.errstate(over="ignore"):
        total = (difference + residual).astype(difference.dtype)
    return total if np.isfinite(total).all() else difference


def _largest(array: np.ndarray, share: float | None) -> np.ndarray:
    """Which rows (rows,) bool are the ``share`` of largest norm, the first ones among equals."""
    if share is None or not len(array):
        return np.ones(len(array), bool)
    with np.errstate(over="ignore"):
        norms = np.linalg.norm(as_rows(array), axis=1)
    count = math.ceil(share * len(norms))
    least = np.partition(norms, len(norms) - count)[len(norms) - count]
    chosen: np.ndarray = norms > least
    equal = np.flatnonzero(norms == least)
    chosen[equal[: count - int(chosen.sum())]] = True
    return chosen & (norms > 0)
