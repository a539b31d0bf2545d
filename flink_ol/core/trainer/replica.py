"""A trainer's replica: a frame and on top of it the trainer's own updates that it lacks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flink_ol.core.learner import Learner
from flink_ol.core.messages import Frame, Update
from flink_ol.core.rounded_frames import taken
from flink_ol.core.state import Delta, State
from flink_ol.core.unadmitted import Counts
from flink_ol.core.vocabulary import Vocabulary


def rebuilt(learner: Learner, frame: Frame, pending: Sequence[Update]) -> State:
    """The replica of the whole ``frame`` and ``pending``, in the order they were learned."""
    replica = State.of(learner.specs, frame.keys, frame.arrays, frame.waiting)
    for update in pending:
        learner.merge(replica, update.delta, 1.0)
    return replica


def changed(
    learner: Learner,
    replica: State,
    frame: Frame,
    contained: Sequence[Update],
    pending: Sequence[Update],
    view: State | None = None,
) -> np.ndarray | None:
    """Take ``frame``, a change of the frame beneath ``replica``, in place: the slots it sets.

    The same as :func:`rebuilt` of a whole frame, to the rounding of differences, in time of what
    changed: all other rows are those of the frame before with updates that are still pending.
    That needs all keys of the updates that the frame contains for the first time; None, and
    nothing is changed, where one is not there, because the model left the update out.
    ``view``: what the frame's differences are to, where it has some; it moves along.
    """
    keys = Vocabulary(frame.keys)
    if any((keys.find(update.delta.keys) < 0).any() for update in contained):
        return None
    values = Delta(frame.keys, frame.arrays, frame.waiting)
    if frame.codes:
        if view is None:
            return None
        values = taken(view, values)
    slots = replica.assign(values)
    replica.recount(values)
    waiting = Vocabulary(None if frame.waiting is None else frame.waiting.keys)
    for update in pending:
        learner.merge(replica, _restricted(learner, update.delta, keys, waiting), 1.0)
    return slots


def _restricted(learner: Learner, delta: Delta, keys: Vocabulary, waiting: Vocabulary) -> Delta:
    """``delta`` of these features alone, the fixed arrays in full."""
    here = keys.find(delta.keys) >= 0
    per_feature = {spec.name for spec in learner.specs if spec.per_feature}
    arrays = {
        name: array[here] if name in per_feature else array for name, array in delta.arrays.items()
    }
    if delta.waiting is None:
        return Delta(delta.keys[here], arrays)
    counted = waiting.find(delta.waiting.keys) >= 0
    counts = Counts(delta.waiting.keys[counted], delta.waiting.counts[counted])
    return Delta(delta.keys[here], arrays, counts)
