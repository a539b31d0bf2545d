"""The replay of mode local: one worker is the plain loop, and the figures are of every sample."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from benchmarks import merging, merging_report
from benchmarks.merging import OPTIMIZERS, Curves
from flink_ol.app import replay
from flink_ol.job.spec import Spec

SAMPLES = 600


def _quiet(text: str) -> None:
    pass


def _figures(**fields: Any) -> dict[str, Any]:
    curves = Curves("dense", (1,), (64,), ("sgd",), SAMPLES, 0)._replace(**fields)
    (figure,) = merging.figures(curves, _quiet)
    return figure


@pytest.mark.parametrize("optimizer", list(OPTIMIZERS))
@pytest.mark.parametrize("late", [0, 2])
def test_one_worker_is_the_plain_loop_whatever_the_interval(optimizer: str, late: int) -> None:
    payloads, sections = merging.stream("dense", SAMPLES)
    spec = Spec.model_validate({"name": "p", **sections, "optimizer": OPTIMIZERS[optimizer]})
    plain = replay.run(spec, [payloads]).metrics
    for interval in (7, 64, 5_000):
        figure = _figures(optimizers=(optimizer,), intervals=(interval,), late=late)
        assert figure["accuracy"] == pytest.approx(plain["accuracy"], abs=1e-6)
        assert figure["log_loss"] == pytest.approx(plain["log_loss"], abs=1e-6)
        assert figure["dead_letters"] == 0


@pytest.mark.parametrize("workers", [3, 7])
def test_every_sample_is_dealt_to_one_worker(workers: int) -> None:
    payloads, sections = merging.stream("dense", SAMPLES)
    spec = Spec.model_validate({"name": "p", **sections})
    dealt = merging.deal(spec, payloads, workers)
    labels = [
        float(label)
        for i in range(SAMPLES)
        for label in dealt[i % workers].labels[i // workers : i // workers + 1]
    ]
    assert labels == [float(orjson.loads(payload)["y"]) for payload in payloads]


def test_turns_learn_every_sample_once() -> None:
    payloads, sections = merging.stream("dense", SAMPLES)
    spec = Spec.model_validate({"name": "p", **sections})
    dealt = merging.deal(spec, payloads, 4)
    learner = merging.Learner(spec.learning, spec.metrics.evaluation)
    turns = merging.Turns(learner, 4, 1)
    for start in range(0, 150, 40):
        turns.round([samples.rows(start, min(start + 40, 150)) for samples in dealt])
    learned = {
        partition: account.learned.count for partition, account in turns.model.ledger.items()
    }
    assert learned == dict.fromkeys(range(4), 150)


@pytest.mark.parametrize("optimizer", list(OPTIMIZERS))
def test_four_workers_learn_nearly_as_fast_as_one(optimizer: str) -> None:
    alone, four = (
        _figures(workers=(workers,), optimizers=(optimizer,), intervals=(50,), samples=8_000)
        for workers in (1, 4)
    )
    assert four["log_loss"] < 1.05 * alone["log_loss"]
    assert four["dead_letters"] == 0


def test_later_weights_change_what_several_workers_learn() -> None:
    early, late = (_figures(workers=(4,), late=rounds)["log_loss"] for rounds in (0, 3))
    assert early != late


def test_the_page_holds_every_figure(tmp_path: Path) -> None:
    lines = [orjson.dumps({"x": {"a": i % 3, "b": "uv"[i % 2]}, "y": i % 2}) for i in range(40)]
    path = tmp_path / "own.ndjson"
    path.write_bytes(b"\n".join(lines) + b"\n")
    curves = Curves(str(path), (1, 2), (5, 10), ("sgd", "ftrl"), 40, 0)
    table = merging_report.make(curves, tmp_path, _quiet, plots=False)
    told = orjson.loads((tmp_path / "merging-own.json").read_bytes())
    assert len(told["figures"]) == 8
    assert len(table.splitlines()) == 2 + 4
    for figure in told["figures"]:
        assert f"{100 * figure['accuracy']:.2f}, {figure['log_loss']:.4f}" in table
