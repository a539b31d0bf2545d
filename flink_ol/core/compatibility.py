"""Whether a model that was learned by one configuration can be learned on by another.

What decides which arrays there are and what their numbers mean must stay; how steps are taken may
change. A setting that is not listed as free must stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from flink_ol.core.config import ConfigError, Learning
from flink_ol.core.learner import Learner
from flink_ol.core.losses import chosen
from flink_ol.core.messages import Snapshot

_FREE = (
    "optimizer.",
    "model.l1",
    "model.l2",
    "model.clip_value",
    "model.clip_norm",
    "model.factors_l2",
    "model.factors_learning_rate",
    "model.batch_size",
    "model.dropout",
    "features.admission",
    "features.expiry",
    "features.names_kept",
)
_OF_FIRST_PARAMETERS = ("seed", "model.initial", "model.initial_deviation", "model.inputs")
_KINDS = ("name", "family")  # of a section: beside another one its own settings say nothing
_REASONS = {
    "task": "the model's scores mean something else",
    "classes": "the model's scores belong to other labels",
    "loss": "the model's scores mean something else",
    "model": "the model's arrays are laid out by it",
    "features": "what a feature is and how its values are scaled is part of the model",
    "optimizer": "what it keeps beside the weights is another's",
    "seed": "parameters of features met lately would be drawn anew",
}


class Change(NamedTuple):
    """One setting that differs, by its dotted key."""

    key: str
    before: Any
    after: Any

    @property
    def reason(self) -> str:
        """Why it cannot change."""
        return _REASONS.get(self.key.partition(".")[0], "the model depends on it")

    def __str__(self) -> str:
        return f"{self.key}: {_short(self.before)} -> {_short(self.after)}"


class Changes(NamedTuple):
    """What differs between two configurations."""

    allowed: list[Change]
    refused: list[Change]


def changes(before: Learning, after: Learning, in_flight: bool) -> Changes:
    """What differs, and what of it a model of ``before`` does not bear.

    ``in_flight``: the model goes on with its log and pending updates, where first parameters of
    new features are drawn again; else only its arrays are taken over.
    """
    found = Changes([], [])
    for change in _differences(_meaning(before), _meaning(after), ""):
        kind = change.key.rpartition(".")[2] in _KINDS and change.key.count(".") == 1
        free = change.key.startswith(_FREE) and not kind
        free |= not in_flight and change.key in _OF_FIRST_PARAMETERS
        (found.allowed if free else found.refused).append(change)
    if found.allowed and not found.refused:
        # a free setting may still decide whether the optimizer keeps an array
        found.refused.extend(_differences(_arrays(before), _arrays(after), ""))
    return found


def misfits(snapshot: Snapshot, learning: Learning, in_flight: bool = False) -> list[str]:
    """Why ``learning`` cannot go on from ``snapshot``, one by one; empty if it can."""
    try:
        before = Learning.from_json(snapshot.learning)
    except ConfigError as error:
        return [f"its own configuration is not known to this version: {error}"]
    refused = changes(before, learning, in_flight).refused
    if refused:
        return [f"{change}: {change.reason}" for change in refused]
    specs = {spec.name: spec for spec in Learner(learning).specs}
    arrays = snapshot.frame.arrays
    found = [f"array {name} is not one of the model's" for name in arrays if name not in specs]
    for name, spec in specs.items():
        shape = (len(snapshot.frame.keys), *spec.shape) if spec.per_feature else spec.shape
        if name not in arrays:
            found.append(f"array {name} is missing")
        elif arrays[name].shape != shape or arrays[name].dtype != spec.dtype:
            was, be = arrays[name], f"{spec.dtype} of shape {shape}"
            found.append(f"array {name} is {was.dtype} of shape {was.shape}, and must be {be}")
        elif not np.isfinite(arrays[name]).all():
            found.append(f"array {name} holds numbers that are not finite")
    return found


def _meaning(learning: Learning) -> dict[str, Any]:
    """The configuration as JSON, with the loss that holds where none is given."""
    fields = learning.to_json()
    return {**fields, "loss": fields["loss"] or {"name": chosen(learning.task, None).name}}


def _arrays(learning: Learning) -> dict[str, Any]:
    return {
        f"array {spec.name}": [list(spec.shape), spec.merge, spec.per_feature, spec.dtype]
        for spec in Learner(learning).specs
    }


def _differences(before: Any, after: Any, key: str) -> Iterator[Change]:
    if not (isinstance(before, Mapping) and isinstance(after, Mapping)):
        if before != after:
            yield Change(key, before, after)
        return
    for kind in _KINDS:
        if before.get(kind) != after.get(kind):
            yield Change(f"{key}.{kind}", before.get(kind), after.get(kind))
            return
    for name in dict.fromkeys([*before, *after]):
        inner = f"{key}.{name}" if key else name
        yield from _differences(before.get(name), after.get(name), inner)


def _short(value: Any) -> str:
    text = "null" if value is None else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
