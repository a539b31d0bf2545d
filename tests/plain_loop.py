"""One process, one pass, no Flink: what a streamed job with one worker must come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from flink_ol.core.learner import Learner
from flink_ol.core.messages import Snapshot
from flink_ol.core.state import State
from flink_ol.job.spec import Spec
from flink_ol.wire.formats import sample_format


def plain_loop(spec: Spec, records: Sequence[bytes]) -> tuple[State, Mapping[str, np.ndarray]]:
    """State and prequential sums after learning ``records`` in their order as one batch."""
    learner = Learner(spec.learning, spec.metrics.evaluation)
    decoder = sample_format(spec.samples.format, spec.samples.fields, spec.learning)
    samples, _ = decoder.decode(records, np.arange(len(records), dtype=np.int64))
    state = learner.initial()
    samples = learner.filled(state, samples)
    learner.mark(state, samples)
    return state, learner.learn(state, samples, float("nan"), 1.0)


def assert_same_model(snapshot: Snapshot, plain: State) -> None:
    """Every array of the snapshot equals the plain loop's to 1e-9, feature by feature."""
    keys = snapshot.frame.keys
    slots = plain.vocabulary.find(keys)
    assert len(keys) == plain.vocabulary.size
    assert slots.min() >= 0
    for spec in plain.specs:
        ours, theirs = snapshot.frame.arrays[spec.name], plain.rows(spec.name)
        np.testing.assert_allclose(
            ours,
            theirs[slots] if spec.per_feature else theirs,
            rtol=1e-9,
            atol=1e-12,
            err_msg=spec.name,
        )
