"""The Python worker that Beam runs our functions in, without what we would pay for and not use."""

from __future__ import annotations

from threading import current_thread
from typing import Any

import threadpoolctl
from apache_beam.runners.worker import statesampler

_track: Any = statesampler.set_current_tracker


def stop_state_sampling() -> None:
    """Bundles end at once, and without a thread each.

    For every bundle Beam starts a thread that samples which step is at work, and joins it at the
    bundle's end: by then it sleeps for a fifth of the bundle's age, and so does the bundle. Nobody
    reads what it finds: Flink measures its operators itself.
    """
    beams: Any = statesampler.StateSampler
    beams.start, beams.stop = _start, _stop


def keep_arrow_columns() -> None:
    """Vectorised functions get their columns as they came, pyarrow.Array, not pandas.Series.

    A series of bytes has an object for every record; all we want of them is to stay together.
    """
    from pyflink.fn_execution import coder_impl_fast  # and with it all of pyflink.table

    coders: Any = coder_impl_fast
    coders.arrow_to_pandas = _columns


def _columns(_timezone: Any, _types: Any, batches: Any) -> list[Any]:
    (batch,) = batches
    return list(batch.columns)


def multiply_in_one_thread() -> None:
    """Products of matrices take one core, as all else that a subtask does.

    Parallelism is Flink's here, and every operator has a process of its own: with a thread a core
    in each of them, they wait for each other at every product of a network's layers.
    """
    threadpoolctl.threadpool_limits(1, user_api="blas")


def _start(sampler: Any) -> None:
    sampler.tracked_thread = current_thread()
    _track(sampler)
    sampler.started = True


def _stop(sampler: Any) -> None:
    _track(None)
    sampler.finished = True
