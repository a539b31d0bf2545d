"""Whether a cluster's TaskManagers have the heap that a model takes, before the job is submitted.

Of networks and of models with ``hash_bits`` the full size is known. How many copies of it, or of
what an update touches, are on their way and in state was measured (benchmarks/README.md).
"""

from __future__ import annotations

import math
from typing import NamedTuple

from flink_ol.app.errors import FailureError
from flink_ol.app.flink_rest import FlinkRest
from flink_ol.core.families.mlp import MlpModel
from flink_ol.job.spec import Spec

_MIB = 1 << 20
_STEP_MIB = 64
_KEY_BYTES = 8  # of a feature, among the bytes of its row
# Updates, entries of the log and weights frames of a network are as large as all it keeps: so many
# are in state and on their way for a slot. In state alone: the trainer's whole frame and the
# changes since, the model's base and the entries since. They live long, and half of the local
# TaskManagers' heap is for what is new.
_NETWORK_COPIES, _NETWORK_LEAST_COPIES = 40, 8
# Of a model of hashed features only state and now and then a new base or a whole frame are as
# large. What its updates and samples take is bounded by them, and by the batches they come of.
_HASHED_COPIES, _HASHED_UPDATES_MIB = 24, 384


class Need(NamedTuple):
    """What is known before: bytes."""

    size: int  # of all that the model keeps
    enough: int  # of heap for a slot
    least: int  # with less a slot surely has too little
    copies: str


def check_heap(spec: Spec, cluster: FlinkRest, local: bool) -> str | None:
    """A warning where the heap may be too small; None where it is enough or nothing is known.

    ``local``: the cluster is the local stack. Raises :class:`FailureError` where the job would
    surely end in Java's OutOfMemoryError.
    """
    need = heap_need(spec)
    heaps = cluster.task_heaps() if need is not None else []
    if need is None or not heaps:
        return None
    slots = math.ceil(spec.training.workers / len(heaps))
    heap, advised = min(heaps), advised_mib(need, slots)
    if heap >= slots * need.enough:
        return None
    if local:
        remedy = f"`flink-ol down; flink-ol up --heap {advised}`"
    else:
        remedy = f"set taskmanager.memory.task.heap.size to {advised}m"
    hopeless = heap < slots * need.least
    text = (
        f"model: {_shown(need.size)} with what {spec.optimizer.name} keeps ({_of(spec)}), "
        f"{need.copies} for each of {slots} workers in a TaskManager, whose heap for tasks is "
        f"{_shown(heap)}: the job {'would' if hopeless else 'may'} end in Java's "
        f"OutOfMemoryError; {remedy}, or make the model smaller"
    )
    if hopeless:
        raise FailureError(text)
    return text


def advised_mib(need: Need, slots: int) -> int:
    """Heap for the tasks of a TaskManager where so many slots have workers."""
    return math.ceil(slots * need.enough / _MIB / _STEP_MIB) * _STEP_MIB


def heap_need(spec: Spec) -> Need | None:
    """Of one slot; None where the model grows with the features that come."""
    size = model_bytes(spec)
    if size is None:
        return None
    if isinstance(spec.model, MlpModel):
        least, copies = _NETWORK_LEAST_COPIES * size, f"about {_NETWORK_COPIES} times"
        return Need(size, _NETWORK_COPIES * size, least, copies)
    state = _HASHED_COPIES * size
    # less than so many features may ever come, so nothing is surely too little
    enough = state + min(state, _HASHED_UPDATES_MIB * _MIB)
    return Need(size, enough, 0, f"about {_HASHED_COPIES} times, and as much for its updates,")


def model_bytes(spec: Spec) -> int | None:
    """Of all that the model keeps for ``model.inputs`` features, or for 2^``hash_bits``.

    None where neither is told: such a model grows with the features that come.
    """
    bits = spec.features.hash_bits
    if not isinstance(spec.model, MlpModel) and bits is None:
        return None
    from flink_ol.core.frames import sizes  # with the kernels
    from flink_ol.core.learner import Learner

    fixed, row = sizes(Learner(spec.learning).specs)
    if isinstance(spec.model, MlpModel):
        return fixed + (row - _KEY_BYTES) * spec.model.inputs
    assert bits is not None
    return fixed + (row << bits)


def _of(spec: Spec) -> str:
    if not isinstance(spec.model, MlpModel):
        return f"hash_bits {spec.features.hash_bits}, if all of them come to be used"
    units = [one if isinstance(one, int) else one.units for one in spec.model.hidden]
    return f"inputs {spec.model.inputs}, hidden {units}, {spec.model.dtype}"


def _shown(size: int) -> str:
    return f"{size / _MIB:,.3g} MiB" if size < 100 * _MIB else f"{size / _MIB:,.0f} MiB"
