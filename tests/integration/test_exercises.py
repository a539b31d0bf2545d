"""The smallest exercise from the first command to the last, as docs/exercises.md has it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flink_ol.client import Model
from flink_ol.local.stack import Stack
from tests.shell import Shell

ROOT = Path(__file__).parents[2]
NAME, SAMPLES = "linear_1000x100", 1_000


def exercise(module: str, *arguments: str | Path) -> bytes:
    """What `python -m jobs.exercises.MODULE` prints."""
    command = [sys.executable, "-m", f"jobs.exercises.{module}", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=120).stdout


def learned(shell: Shell) -> int:
    told = shell.call("watch", shell.spec, "--json", "--for", "1").splitlines()
    return int(json.loads(told[-1])["samples"]) if told else 0


def test_the_smallest_exercise_gives_what_its_page_says(
    stack: Stack, tmp_path: Path, job_name: str
) -> None:
    text = (ROOT / "jobs" / "exercises" / f"{NAME}.yaml").read_text()
    named = f"name: {NAME.replace('_', '-')}\n"
    assert text.count(named) == 1
    spec = tmp_path / "exercise.yaml"
    spec.write_text(text.replace(named, f"name: {job_name}\n"))
    shell = Shell(spec, stack)
    stream = exercise("streams", NAME)

    shell.call("run", shell.spec)
    shell.call("feed", shell.spec, "-", given=stream)
    deadline = time.monotonic() + 60
    while learned(shell) < SAMPLES:
        assert time.monotonic() < deadline
    told = shell.json("snapshot", shell.spec, "--now", "--out", "streamed.model")
    assert (told["samples"], told["dead_letters"]) == (SAMPLES, 0)

    shell.call("replay", shell.spec, "-", "--out", "replayed.model", given=stream)
    streamed, replayed = (Model.load(tmp_path / f"{way}.model") for way in ("streamed", "replayed"))
    assert streamed.weights.keys() == replayed.weights.keys()
    for name, weight in replayed.weights.items():
        assert streamed.weights[name] == pytest.approx(weight, rel=1e-9, abs=1e-12)
    assert streamed.metrics["rmse"] == pytest.approx(replayed.metrics["rmse"], rel=1e-9)

    judged = exercise("held_out", NAME, tmp_path / "streamed.model").decode()
    page = (ROOT / "docs" / "exercises.md").read_text()
    (row,) = [line for line in page.splitlines() if line.startswith(f"| `{NAME}` | rmse")]
    assert f"rmse {streamed.metrics['rmse']:.4f}" in row
    held_out = row.split("|")[3].strip()
    assert judged.split(": ")[1].split() == held_out.replace(",", "").split()
