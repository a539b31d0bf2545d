"""Whether a cluster's TaskManagers have the heap that a network takes, before the job is submitted.

Updates, entries of the log and weights frames of a dense network are as large as all it keeps. How
many of them there are on their way and in state was measured (benchmarks/README.md, Images).
"""

from __future__ import annotations

import math

import numpy as np

from flink_ol.app.errors import FailureError
from flink_ol.app.flink_rest import FlinkRest
from flink_ol.core.families.mlp import MlpModel
from flink_ol.job.spec import Spec

_COPIES = 40  # a slot, in state and on their way
# In state alone: the trainer's whole frame and the changes since, the model's base and the entries
# since. They live long, and half of the local TaskManagers' heap is for what is new.
_LEAST_COPIES = 8
_MIB = 1 << 20
_STEP_MIB = 64


def check_heap(spec: Spec, cluster: FlinkRest, local: bool) -> str | None:
    """A warning where the heap may be too small; None where it is enough or nothing is known.

    ``local``: the cluster is the local stack. Raises :class:`FailureError` where the job would
    surely end in Java's OutOfMemoryError.
    """
    size = model_bytes(spec)
    heaps = cluster.task_heaps() if size is not None else []
    if size is None or not heaps:
        return None
    slots = math.ceil(spec.training.workers / len(heaps))
    enough, heap = _COPIES * slots * size, min(heaps)
    if heap >= enough:
        return None
    advised = math.ceil(enough / _MIB / _STEP_MIB) * _STEP_MIB
    if local:
        remedy = f"`flink-ol down; flink-ol up --heap {advised}`"
    else:
        remedy = f"set taskmanager.memory.task.heap.size to {advised}m"
    hopeless = heap < _LEAST_COPIES * slots * size
    text = (
        f"model: {_shown(size)} with what {spec.optimizer.name} keeps ({_of(spec)}), about "
        f"{_COPIES} times for each of {slots} workers in a TaskManager, whose heap for tasks is "
        f"{_shown(heap)}: the job {'would' if hopeless else 'may'} end in Java's "
        f"OutOfMemoryError; {remedy}, or make the model smaller"
    )
    if hopeless:
        raise FailureError(text)
    return text


def model_bytes(spec: Spec) -> int | None:
    """Of all that a network keeps for ``model.inputs`` features; None for other models.

    Those grow with the features that come, and their updates carry only what was touched.
    """
    if not isinstance(spec.model, MlpModel):
        return None
    from flink_ol.core.learner import Learner  # with the kernels

    inputs = spec.model.inputs
    return sum(
        math.prod(array.shape)
        * np.dtype(array.dtype).itemsize
        * (inputs if array.per_feature else 1)
        for array in Learner(spec.learning).specs
    )


def _of(spec: Spec) -> str:
    assert isinstance(spec.model, MlpModel)
    units = [one if isinstance(one, int) else one.units for one in spec.model.hidden]
    return f"inputs {spec.model.inputs}, hidden {units}, {spec.model.dtype}"


def _shown(size: int) -> str:
    return f"{size / _MIB:,.3g} MiB" if size < 100 * _MIB else f"{size / _MIB:,.0f} MiB"
