"""What is read from a contestant's marks."""

from __future__ import annotations

import pytest

from benchmarks.marks import Mark, run_figures
from benchmarks.measuring import Use


def _run(rates: list[int], cpu_per_s: float = 1.0) -> tuple[list[Mark], list[Use]]:
    """A mark a second: ``rates`` samples learned in each, with a loss of 0.5 a sample."""
    marks, uses, samples = [Mark(0, 100.0, 0.0)], [Use(100.0, {"python": 0.0}, 1 << 20)], 0
    for second, rate in enumerate(rates, 1):
        samples += rate
        marks.append(Mark(samples, 100.0 + second, 0.5 * samples))
        uses.append(Use(100.0 + second, {"python": cpu_per_s * second}, (1 + second) << 20))
    return marks, uses


def test_warm_up_does_not_count() -> None:
    marks, uses = _run([10] * 5 + [1000] * 10)
    figures = run_figures(marks, uses, 5.0, 10**6)
    assert figures["samples_per_s"] == 1000
    assert figures["cpu_us_per_sample"] == {"python": 1000.0, "all": 1000.0}
    assert figures["warm"]


def test_a_run_shorter_than_its_warm_up_says_so() -> None:
    figures = run_figures(*_run([1000] * 8), 60.0, 10**6)
    assert not figures["warm"]
    assert figures["samples_per_s"] == 1000


def test_the_end_where_partitions_run_dry_does_not_count() -> None:
    marks, uses = _run([1000] * 97 + [10] * 30)
    assert run_figures(marks, uses, 5.0, 97_300)["samples_per_s"] > 900


def test_cpu_time_is_of_the_same_span_as_the_samples() -> None:
    marks, uses = _run([100] * 10, cpu_per_s=0.5)
    early = [Use(99.0, {"python": 0.0}, 0), *uses]  # began before the first mark
    assert run_figures(marks, early, 4.0, 10**6)["cpu_us_per_sample"]["all"] == 5000.0


def test_all_kinds_of_processes_add_up() -> None:
    marks, uses = _run([100] * 10)
    both = [Use(use.at_s, {**use.cpu_s, "java": 3 * use.cpu_s["python"]}, 0) for use in uses]
    cpu = run_figures(marks, both, 2.0, 10**6)["cpu_us_per_sample"]
    assert cpu == {"python": 10_000.0, "java": 30_000.0, "all": 40_000.0}


def test_loss_of_the_first_samples_lies_between_marks() -> None:
    marks = [Mark(0, 0.0, 0.0), Mark(5_000, 1.0, 4_000.0), Mark(15_000, 2.0, 9_000.0)]
    figures = run_figures(marks, [], 0.0, 10**6)
    assert figures["log_loss_of_first"] == {"10000": 0.65}
    assert figures["log_loss"] == 0.6


def test_peak_memory_is_the_most_ever_seen() -> None:
    assert run_figures(*_run([100] * 10), 2.0, 10**6)["peak_mib"] == 11


def test_two_marks_are_a_run() -> None:
    figures = run_figures([Mark(0, 0.0, 0.0), Mark(500, 2.0, 250.0)], [], 5.0, 500)
    assert figures["samples_per_s"] == 250


def test_nothing_learned_is_no_run() -> None:
    with pytest.raises(ValueError, match="nothing was learned"):
        run_figures([Mark(0, 0.0, 0.0), Mark(0, 2.0, 0.0)], [], 5.0, 500)
