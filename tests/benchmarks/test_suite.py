"""Which runs the suite makes, and what it makes of them."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import orjson
import pytest

from benchmarks import contestants, report, suite
from benchmarks.__main__ import contests
from benchmarks.contestants import NAMES
from benchmarks.marks import Limits
from benchmarks.suite import Plan, Run

PLAN = Plan((("dense", "json"),), ("ours-2", "river", "vw-file"), 3, 1000, Limits(), 10.0, False)


def _made(contestant: str, number: int, **figures: Any) -> dict[str, Any]:
    settings = {"samples": 1000, "warm_up_s": 20.0, "measured_s": 15.0, "smoke": False}
    return {
        "workload": "dense",
        "format": "json",
        "contestant": contestant,
        "round": number,
        "settings": settings,
        "load": 0.1,
        "loop_s": 0.3,
        "machine": {"platform": "p", "processor": "", "cores": 2, "memory_gib": 4.0},
        "samples_per_s": 100,
        "cpu_us_per_sample": {"python": 1.0, "all": 1.0},
        "peak_mib": 10,
        "log_loss": 0.5,
        "log_loss_of_first": {"10000": 0.6},
        "samples": 20_000,
        "warm": True,
        "versions": {},
        **figures,
    }


def test_every_round_has_every_contestant_that_can_and_begins_with_another() -> None:
    runs = suite.left(PLAN, "dense", "json", [])
    rounds = [
        [run.contestant for run in group]
        for _, group in itertools.groupby(runs, key=lambda run: run.round)
    ]
    assert rounds == [["ours-2", "river"], ["river", "ours-2"], ["ours-2", "river"]]


def test_what_was_made_is_not_made_again() -> None:
    made = [_made("river", 1), _made("ours-2", 2, error="it broke")]
    assert suite.left(PLAN, "dense", "json", made) == [
        Run(1, "ours-2"),
        Run(2, "river"),
        Run(2, "ours-2"),
        Run(3, "ours-2"),
        Run(3, "river"),
    ]


def test_other_settings_are_other_runs() -> None:
    made = [_made("river", number) for number in (1, 2, 3)]
    more = PLAN._replace(samples=2000)
    assert [run.contestant for run in suite.left(more, "dense", "json", made)].count("river") == 3


def test_a_line_that_was_cut_short_is_no_run(tmp_path: Path) -> None:
    whole = orjson.dumps(_made("river", 1))
    (tmp_path / suite.RUNS).write_bytes(whole + b"\n" + whole[:40])
    assert len(suite.read(tmp_path)) == 1


def test_a_figure_is_the_median_of_its_rounds_with_its_range() -> None:
    made = [_made("river", n, samples_per_s=rate) for n, rate in enumerate((300, 100, 200), 1)]
    (entry,) = report.summary(made)
    assert entry["samples_per_s"] == {"median": 200, "least": 100, "most": 300}
    assert entry["rounds"] == 3


def test_runs_of_older_settings_do_not_mix_in() -> None:
    old = _made("river", 1, samples_per_s=9, settings={"samples": 1, "smoke": True})
    (entry,) = report.summary([old, _made("river", 1)])
    assert entry["samples_per_s"]["most"] == 100
    assert not entry["smoke"]


def test_a_contestant_that_failed_stands_in_the_table_with_the_reason() -> None:
    made = [{**_made("vw", 1), "error": "TimeoutError: 3 of 1000 samples"}, _made("river", 1)]
    table = report.markdown(report.summary(made), made[0]["machine"])
    assert "| Vowpal Wabbit from Kafka | failed: TimeoutError: 3 of 1000 samples" in table
    assert "| River | 100 | 1.00 | 10 | 0.6000 | 0.5000 (20,000) | 1 |" in table


def test_losses_are_compared_over_as_many_samples_for_all() -> None:
    far = {"10000": 0.6, "100000": 0.55}
    made = [_made("river", 1), _made("vw", 1, log_loss_of_first=far)]
    table = report.markdown(report.summary(made), made[0]["machine"])
    assert "log loss of the first 10,000" in table


def test_smoke_figures_are_marked() -> None:
    settings = {**_made("river", 1)["settings"], "smoke": True}
    made = [_made("river", 1, settings=settings)]
    assert "(smoke" in report.markdown(report.summary(made), made[0]["machine"])


@pytest.mark.parametrize(
    ("contestant", "workload", "encoding", "can"),
    [
        ("river", "dense", "vw", True),
        ("river", "images", "json", False),
        ("vw-file", "dense", "json", False),
        ("vw-file", "hashed", "vw", True),
        ("obvious", "images", "json", False),
        ("ours-4-sync", "images", "json", True),
        ("core", "flights", "vw", True),
        ("river", "dense", "arrow", False),
        ("confluent-floor", "images", "arrow", True),
    ],
)
def test_contestants_do_what_they_can(
    contestant: str, workload: str, encoding: str, can: bool
) -> None:
    assert contestants.applies(contestant, workload, encoding) is can


def test_every_contestant_has_a_title() -> None:
    assert len({report.title(name) for name in (*NAMES, "ours-1-sync", "ours-2-sync")}) == 13


def test_a_workload_without_a_format_means_all_of_its_formats() -> None:
    assert contests("images,dense:vw,dense") == (
        ("images", "json"),
        ("images", "arrow"),
        ("dense", "vw"),
        ("dense", "json"),
        ("dense", "arrow"),
    )
