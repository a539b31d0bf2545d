"""Settings changed by command on the real broker and cluster, and what is learned by them."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from flink_ol.client import Model
from flink_ol.core.learner import Learner
from flink_ol.job.spec import Spec
from flink_ol.local.stack import Stack
from flink_ol.wire.formats import sample_format
from tests.plain_loop import assert_same_model
from tests.running_job import json_records
from tests.shell import Shell

SET = {"optimizer.learning_rate": 0.002, "model.l2": 0.01}
FIRST, SECOND, THIRD = 3_000, 6_000, 8_000  # samples until the command, the restart, the end


@pytest.fixture
def shell(stack: Stack, tmp_path: Path, job_name: str) -> Shell:
    path = tmp_path / "job.yaml"
    fields = {"name": job_name, "samples": {"partitions": 1}, "training": {"workers": 1}}
    path.write_text(yaml.safe_dump({**fields, "checkpoints": {"interval_ms": 1000}}))
    return Shell(path, stack)


def test_what_is_set_counts_from_then_on_through_a_restart(shell: Shell) -> None:
    records, spec = json_records(4, THIRD), shell.spec
    shell.json("run", spec)
    shell.call("feed", spec, "-", given=b"\n".join(records[:FIRST]))
    first = shell.json("snapshot", spec, "--now", "--out", "first.model")
    assert first["samples"] == FIRST

    refusal = shell.call("set", spec, "model.l2=0.5", "optimizer.learning_rate=0", code=1)
    assert "refused: optimizer.learning_rate: 0 is not allowed; give a value greater" in refusal
    told = shell.json("set", spec, *(f"{name}={value}" for name, value in SET.items()))
    assert told["overrides"] == SET
    assert told["version"] > first["version"]
    time.sleep(2.0)  # the answer may be read before the trainer has the weights of that entry
    shell.call("feed", spec, "-", given=b"\n".join(records[FIRST:SECOND]))
    assert shell.json("snapshot", spec, "--now", "--out", "second.model")["samples"] == SECOND

    shell.call("stop", spec)
    shell.call("run", spec, "--from", "latest")
    shell.call("feed", spec, "-", given=b"\n".join(records[SECOND:]))
    assert shell.json("snapshot", spec, "--now", "--out", "third.model")["samples"] == THIRD

    learner = Learner(Spec.load(spec).learning)
    tuned, state = learner.tuned(SET), learner.initial()
    decoder = sample_format("json", Spec.load(spec).samples.fields, learner.learning)
    samples, _ = decoder.decode(records, np.arange(THIRD, dtype=np.int64))
    learner.mark(state, samples)
    label = float("nan")
    for by, start, stop, name in (
        (learner, 0, FIRST, "first.model"),
        (tuned, FIRST, SECOND, "second.model"),
        (tuned, SECOND, THIRD, "third.model"),
    ):
        by.learn(state, samples.rows(start, stop), label, 1.0)
        label = float(samples.labels[stop - 1])
        model = Model.load(shell.folder / name)
        assert_same_model(model.snapshot, state)
        assert model.learning == by.learning
