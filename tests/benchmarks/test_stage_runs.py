"""Stages alone are measured while there is something to read, or not at all."""

from __future__ import annotations

import pytest

from benchmarks.marks import Mark
from benchmarks.measuring import Use
from benchmarks.stage_runs import figures

TOPIC = 100_000


def run(rates: list[int], step_s: float = 0.5) -> tuple[list[Mark], list[Use]]:
    """A mark a step: ``rates`` samples read in each, until the topic ends; one busy core."""
    marks: list[Mark] = []
    uses: list[Use] = []
    samples = 0
    for step, rate in enumerate(rates):
        samples = min(TOPIC, samples + rate)
        uses.append(Use(step_s * step, {"java": step_s * step}, 1 << 20))
        if not marks or samples > marks[-1].samples:
            marks.append(Mark(samples, step_s * step, 0.0))
    return marks, uses


def test_a_stage_that_lasts_is_measured_after_its_warm_up() -> None:
    found = figures("fetch", *run([1_000] * 10 + [5_000] * 12), 5.0, TOPIC)
    assert found["cpu_us_per_sample"]["all"] == 100.0
    assert found["warm"]


def test_cpu_time_after_the_end_of_the_topic_counts_for_no_sample() -> None:
    """The job idles on: what it uses then was divided by the few samples of its last moment."""
    marks, uses = run([10_000] * 9 + [9_000, *[0] * 40, 1_000])
    assert marks[-1].at_s > 20.0
    assert figures("gather", marks, uses, 1.0, TOPIC)["cpu_us_per_sample"]["all"] == 50.0


def test_a_topic_that_ends_before_the_warm_up_gives_its_second_half_and_says_so() -> None:
    found = figures("fetch", *run([5_000] * 20), 60.0, TOPIC)
    assert found["cpu_us_per_sample"]["all"] == 100.0
    assert not found["warm"]


@pytest.mark.parametrize(
    "rates",
    [
        [TOPIC],  # all of it before the first look
        [90_000, 9_000],
        [90_000, 1_000, 100, 100, 100, 100, 100, 100, 9_000],  # partitions run dry
        [30_000, 30_000, 30_000, 10_000],
        [30_000, 40_000, *[0] * 20],  # the last offsets are never told
    ],
)
def test_a_topic_that_was_read_at_once_is_refused_with_the_remedy(rates: list[int]) -> None:
    with pytest.raises(ValueError, match=r"gather alone was through .* give it more samples"):
        figures("gather", *run(rates), 1.0, TOPIC)


def test_a_stage_that_read_nothing_is_another_matter() -> None:
    with pytest.raises(ValueError, match="nothing was learned"):
        figures("cross", *run([0] * 5), 1.0, TOPIC)
