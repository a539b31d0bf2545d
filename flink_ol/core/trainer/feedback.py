"""The trainer's end of the feedback edge: which frames it takes, and what it holds then.

Replica = the newest accepted frame + own updates that it does not contain. The edge is
at-least-once, so a frame may come late, twice, from another life, or without its parent.
"""

from __future__ import annotations

from collections.abc import Sequence

from flink_ol.core.learner import Learner
from flink_ol.core.messages import Frame, Heading, Hello, Update
from flink_ol.core.rounded_frames import view_of
from flink_ol.core.slot_set import SlotSet
from flink_ol.core.trainer import replica
from flink_ol.core.trainer.events import Effect, SayHello
from flink_ol.core.trainer.state import TrainerState


def refused(state: TrainerState, heading: Heading) -> list[Effect] | None:
    """What is to be done about a frame that cannot be taken, which is counted; None: it can.

    Where a change lacks the frame before it, another hello asks for a whole one.
    """
    if state.worker not in heading.workers:
        state.ghosts += 1
    elif heading.version <= state.version:
        state.stale += 1
    elif heading.parent not in (None, state.version):
        return _miss(state)
    else:
        return None
    return []


def _miss(state: TrainerState) -> list[Effect]:
    state.orphans += 1
    if state.waits:
        return []
    state.waits = True
    return [SayHello(Hello(state.worker))]


def adopt(learner: Learner, state: TrainerState, frame: Frame) -> list[Effect]:
    """Put ``frame`` beneath the replica; ``learner``: of the settings without overrides."""
    learner = learner.tuned(frame.overrides)
    contained: list[Update] = []
    pending: list[Update] = []
    for update in state.pending:
        new = update.sequence > frame.acknowledged.get(update.partition, 0)
        (pending if new else contained).append(update)
    if frame.parent is None:
        state.replica = replica.rebuilt(learner, frame, pending)
        state.known, state.waits = SlotSet(len(frame.keys)), False
        state.view = None
        if frame.codes:
            state.view = view_of(learner.specs, frame.codes, frame.keys, frame.arrays)
    else:
        slots = replica.changed(learner, state.replica, frame, contained, pending, state.view)
        if slots is None:
            return _miss(state)
        state.known.add(slots)
    state.version, state.pending = frame.version, pending
    state.rate_scale, state.acknowledged = frame.rate_scale, frame.acknowledged
    state.overrides = frame.overrides
    state.pace = frame.pace
    for update in contained:
        state.forgettable.setdefault(update.partition, []).append(update.sequence)
    return []


def restore_pending(
    learner: Learner, state: TrainerState, partition: int, updates: Sequence[Update]
) -> None:
    """Own updates of the life before: into the replica, unless the frame contains them."""
    learner = learner.tuned(state.overrides)
    contained = state.acknowledged.get(partition, 0)
    for update in sorted(updates, key=lambda update: update.sequence):
        if update.sequence > contained:
            state.pending.append(update)
            learner.merge(state.replica, update.delta, 1.0)
        else:
            state.forgettable.setdefault(partition, []).append(update.sequence)
