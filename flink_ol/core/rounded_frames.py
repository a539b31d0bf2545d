"""Weights frames of changes in fewer bytes: differences to what trainers hold, rounded.

The publisher keeps a view, the parameters that trainers hold beneath their own updates, and tells
the rounded difference between model and view; both sides add it to their views in the same way, so
all views are equal to the bit. What rounding left out is part of the next difference (error
feedback), so errors do not add up. A whole frame holds the model exactly, and views begin with it:
no view outlives the frames that it comes of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from flink_ol.core.fields import ConfigError
from flink_ol.core.learner import Learner
from flink_ol.core.lossy import lossy_names
from flink_ol.core.quantisation import Numbers, rounded
from flink_ol.core.state import ArraySpec, Delta, State

Codes = Mapping[str, str]  # array told as rounded differences -> numbers that hold them
_CODES: dict[str, Numbers] = {"float16": "float16", "int8": "int8"}


def codes_of(learner: Learner, numbers: Numbers | None) -> Codes:
    """The arrays that changes tell in ``numbers``: parameters; what optimizers keep is exact."""
    if numbers is None:
        return {}
    names = lossy_names(learner.specs, learner.parameters, gradients=False)
    return dict.fromkeys(sorted(names), numbers)


def view_of(
    specs: Sequence[ArraySpec], codes: Codes, keys: np.ndarray, arrays: Mapping[str, np.ndarray]
) -> State:
    """The view that the whole model ``arrays`` of the features ``keys`` begins."""
    some = tuple(spec for spec in specs if spec.name in codes)
    return State.of(some, keys, {spec.name: arrays[spec.name] for spec in some})


def told(view: State, values: Delta, codes: Codes) -> Delta | None:
    """``values``, numbers of the model, with differences in place of those in ``codes``.

    ``view`` moves along. None, and nothing is changed, where a difference is not finite.
    """
    differences = {}
    slots = view.slots(values.keys)
    for spec in view.specs:
        rows = slots if spec.per_feature else ...
        with np.errstate(all="ignore"):
            differences[spec.name] = values.arrays[spec.name] - view.arrays[spec.name][rows]
        if not np.isfinite(differences[spec.name]).all():
            return None
    sent = {name: rounded(_CODES[codes[name]], array) for name, array in differences.items()}
    changes = values._replace(arrays={**values.arrays, **sent})
    taken(view, changes)
    return changes


def taken(view: State, changes: Delta) -> Delta:
    """Add the differences of ``changes`` to ``view``, in place: the numbers of its rows now."""
    slots = view.slots(changes.keys)
    numbers = dict(changes.arrays)
    for spec in view.specs:
        array, rows = view.arrays[spec.name], slots if spec.per_feature else ...
        numbers[spec.name] = array[rows] + changes.arrays[spec.name]
        array[rows] = numbers[spec.name]
    return changes._replace(arrays=numbers)


def check_numbers(numbers: object, training: Mapping[str, object], optimizer: str) -> None:
    """ConfigError unless frames of changes can be rounded; sections as JSON."""
    mode, allowed = training.get("mode", "local"), None
    if numbers is None:
        return
    if mode == "sync":
        allowed = "null: results of mode sync repeat to the bit, and whole frames may come any time"
    elif mode == "exact":
        allowed = "null: in mode exact trainers have no use for weights"
    elif optimizer == "ftrl":
        allowed = "null: the weights of ftrl follow from sums, which are never rounded"
    if allowed is not None:
        raise ConfigError("weights.numbers", numbers, allowed)
