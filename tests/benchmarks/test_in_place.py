"""How time in the running job is shared out among stages."""

from __future__ import annotations

import os
import threading
import time

from benchmarks import in_place
from benchmarks.guard import verdict
from benchmarks.latency import Answer, knowing


def test_a_stack_counts_for_the_innermost_stage_that_is_known() -> None:
    bundle = "process_bundle (/x/apache_beam/runners/worker/sdk_worker.py:9)"
    handle = "handle (/x/flink_ol/core/trainer/machine.py:60)"
    raw = "\n".join(
        [
            f"{bundle};decode (/x/flink_ol/wire/json_samples.py:80);loads (orjson.so) 7",
            f"{bundle};{handle};learn (/x/flink_ol/core/learner.py:5);dot (/x/numpy/core.py:1) 3",
            f"{bundle};read (/x/apache_beam/coders/stream.py:3) 2",
            "main (/x/somewhere.py:1) 1",
        ]
    )
    assert in_place.stacks(raw) == {
        "decode": 7,
        "learn": 3,
        "cross": 2,
        in_place.OTHER_PYTHON: 1,
    }


def test_threads_are_told_apart_by_what_they_used() -> None:
    over = threading.Event()

    def spin() -> None:
        while not over.is_set():
            sum(range(1000))

    thread = threading.Thread(target=spin)
    before = in_place.thread_seconds(os.getpid())
    thread.start()
    deadline = time.monotonic() + 30
    try:
        while True:
            after = in_place.thread_seconds(os.getpid())
            new = [after[number][1] for number in after.keys() - before.keys()]
            if any(seconds > 0.1 for seconds in new):
                break
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        over.set()
        thread.join()


def test_a_sample_is_known_to_the_first_answer_of_a_model_that_contains_it() -> None:
    told = [
        {"model": {"version": 1}, "newest_ms": 1000},
        {"model": {"version": 5}, "newest_ms": 1100},
    ]
    answers = [Answer(1050.0, 5.0, 1), Answer(1150.0, 5.0, 4), Answer(1200.0, 5.0, 6)]
    # samples of 1001 to 1091 are first known to the answer at 1200
    assert knowing(answers, told) == [1200.0 - at for at in range(1001, 1100, 10)]


def test_the_guard_says_what_to_do() -> None:
    assert "python -m benchmarks budget" in verdict(3.0, 5.0)
