"""Processes are watched from outside."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import psutil

from benchmarks.measuring import Watch, loop_s, machine

_BUSY = "import time; held = bytearray(50 << 20)\nwhile time.process_time() < 0.3: pass"


def test_what_a_process_started_counts_with_it() -> None:
    shell = f"{sys.executable} -c '{_BUSY}'; true"
    child = subprocess.Popen(["sh", "-c", shell])
    roots = {"shell": [psutil.Process(child.pid)]}
    with Watch(lambda: roots, children="python") as watch:
        watch._family.clear()
        while child.poll() is None:
            time.sleep(0.02)
            watch._family.clear()  # the test is shorter than the time between two findings
    assert max(use.memory_bytes for use in watch.uses) > 50 << 20
    seen = [use.cpu_s.get("python", 0.0) for use in watch.uses]
    assert seen == sorted(seen)
    assert seen[-1] > 0
    assert watch.uses[-1].cpu_s["shell"] < 0.2


def test_the_machine_is_told() -> None:
    assert machine()["cores"] == os.cpu_count()
    assert loop_s() > 0
