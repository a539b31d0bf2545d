"""Every family, loss, optimizer and format in the streamed job: the same model as a plain loop."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
import pytest

from flink_ol.core.evaluation import metrics
from flink_ol.core.optimizers import Optimizer
from flink_ol.job.spec import Spec
from flink_ol.local.stack import Stack
from flink_ol.wire.arrow_writing import encode_rows
from flink_ol.wire.formats import FORMATS, sample_format
from tests.plain_loop import assert_same_model, plain_loop
from tests.running_job import RunningJob, ledger_of, submit_together

NAMES = tuple(str(i) for i in range(1, 7))
AT_ONCE = 4  # jobs that run side by side: the slots of the test stack
SAMPLES = 800
EARLY = 60  # records that are there before the job: those after them come in later windows


class Case(NamedTuple):
    """What is learned, how, and how it is written."""

    format: str
    optimizer: dict[str, Any]
    model: dict[str, Any]
    task: str = "binary"
    loss: dict[str, Any] | None = None
    scale: str = "standard"


# mini-batches of one: where windows end must not matter
NETWORK = {"family": "mlp", "hidden": [8], "batch_size": 1, "inputs": 6}
FM: dict[str, Any] = {"family": "fm", "factors": 3}
LINEAR: dict[str, Any] = {"family": "linear"}
CASES = [
    Case("csv", {"name": "sgd"}, LINEAR, "multiclass"),
    Case("libsvm", {"name": "ftrl"}, LINEAR, scale="none"),
    Case("vw", {"name": "adaptive"}, LINEAR, scale="none"),
    Case("json", {"name": "adam"}, NETWORK, "multiclass"),
    Case("json", {"name": "adagrad"}, FM, loss={"name": "hinge"}),
    Case("csv", {"name": "rmsprop"}, NETWORK, "regression", scale="min_max"),
    Case("libsvm", {"name": "momentum"}, {**LINEAR, "l2": 0.01}, loss={"name": "squared_hinge"}),
    Case("vw", {"name": "ftrl"}, FM, "regression", {"name": "huber"}),
    Case("json", {"name": "adamw"}, {**LINEAR, "l1": 0.001}, "regression", {"name": "quantile"}),
    Case("csv", {"name": "nesterov"}, LINEAR, "regression", {"name": "epsilon_insensitive"}),
    Case("libsvm", {"name": "sgd", "learning_rate": 0.001}, FM, "multiclass"),
    Case("vw", {"name": "sgd"}, NETWORK, loss={"name": "logistic"}),
    Case("arrow", {"name": "adagrad"}, LINEAR),
]
OPTIMIZERS = [kind().name for kind in get_args(get_args(Optimizer)[0])]
# those that scale their own steps have no learning rate of this meaning
RATES: dict[str, dict[str, Any]] = {
    name: {} if name in ("ftrl", "adaptive") else {"learning_rate": 0.005} for name in OPTIMIZERS
}
EVERY = [
    Case(written, {"name": optimizer, **RATES[optimizer]}, model)
    for written in FORMATS
    for model in (LINEAR, FM, NETWORK)
    for optimizer in OPTIMIZERS
    if model is LINEAR or optimizer != "adaptive"
]


def sections(case: Case) -> dict[str, Any]:
    samples: dict[str, Any] = {"format": case.format, "partitions": 1}
    if case.format == "csv":
        samples["fields"] = {"columns": ["y", *NAMES]}
    return {
        "samples": samples,
        "task": case.task,
        "classes": 3 if case.task == "multiclass" else None,
        "loss": case.loss,
        "model": case.model,
        "optimizer": case.optimizer,
        "features": {"scale": case.scale},
        "training": {"workers": 1},
    }


def records(spec: Spec, seed: int) -> list[bytes]:
    """Samples of a rule with pairs, every second one packed; three records are damaged."""
    rng = np.random.default_rng(seed)
    encode = sample_format(spec.samples.format, spec.samples.fields, spec.learning).encode
    found: list[bytes] = []
    rows = []
    for x in rng.normal(size=(SAMPLES, len(NAMES))).round(3):
        score = x[0] * x[1] - x[2] + 0.1 * rng.normal()
        labels = {"binary": int(score > 0), "multiclass": int(score > -0.5) + int(score > 0.5)}
        row = dict(zip(NAMES, x.tolist(), strict=True))
        label = labels.get(spec.task, round(float(score), 4))
        rows.append({**row, "y": label})
        found.append(encode(row, label))
    if spec.samples.format == "arrow":
        found = [encode_rows(rows[i : i + 7]) for i in range(0, SAMPLES, 7)]
    found = [gzip.compress(one) if i % 2 else one for i, one in enumerate(found)]
    for place in damaged(len(found)):
        found.insert(place, b'"\x00 1 :')
    return found


def damaged(count: int) -> list[int]:
    """Where ``count`` good records have damaged ones among them."""
    return [5, 100, count - 1]


def side_by_side(cases: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "cases",
        [cases[i : i + AT_ONCE] for i in range(0, len(cases), AT_ONCE)],
        ids=lambda some: " ".join(
            f"{case.format}-{case.model['family']}-{case.optimizer['name']}" for case in some
        ),
    )


@side_by_side(CASES)
def test_streamed_models_are_those_of_a_plain_loop(
    stack: Stack, tmp_path: Path, job_name: str, cases: list[Case]
) -> None:
    check(stack, tmp_path, job_name, cases)


@pytest.mark.battery
@side_by_side(EVERY)
def test_every_family_learns_by_every_optimizer_from_every_format(
    stack: Stack, tmp_path: Path, job_name: str, cases: list[Case]
) -> None:
    check(stack, tmp_path, job_name, cases)


def check(stack: Stack, tmp_path: Path, job_name: str, cases: list[Case]) -> None:
    jobs = []
    for number, case in enumerate(cases):
        job = RunningJob(stack, tmp_path, f"{job_name}-{number}", **sections(case))
        jobs.append((job, records(job.spec, number)))
        job.feed(jobs[-1][1][:EARLY])
    submit_together([job for job, _ in jobs])
    for job, sent in jobs:
        job.await_samples(EARLY)
        job.feed(sent[EARLY:])
    for (job, sent), case in zip(jobs, cases, strict=True):
        snapshot = job.await_samples(len(sent))
        assert ledger_of(snapshot) == job.expected_ledger(), case
        assert [letter.offset for letter in job.dead_letters()] == damaged(len(sent) - 3), case
        plain, sums = plain_loop(job.spec, sent)
        assert_same_model(snapshot, plain)
        ours, theirs = (metrics(each, job.spec.learning) for each in (snapshot.sums, sums))
        assert ours["scored"] == theirs["scored"] == SAMPLES
        assert job.restarts() == 0, case
