"""The commands as a user calls them, one after the other, on the real broker and cluster."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest
import yaml

from flink_ol.local.stack import Stack
from tests.running_job import json_records
from tests.shell import COMMAND, Shell


@pytest.fixture
def shell(stack: Stack, tmp_path: Path, job_name: str) -> Shell:
    # the default address: it stands for the broker of the local stack, whatever its port
    fields = {"name": job_name, "samples": {"partitions": 2}, "checkpoints": {"interval_ms": 1000}}
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump(fields))
    return Shell(path, stack)


def test_a_job_from_run_to_stop_and_on_from_its_savepoint(shell: Shell) -> None:
    records, spec = json_records(3, 6_000), shell.spec
    file = shell.folder / "samples.ndjson"
    file.write_bytes(b"\n".join(records[:5_000]))
    requests = shell.folder / "requests.ndjson"
    asked = [{"id": i, "x": json.loads(record)["x"]} for i, record in enumerate(records[5_000:])]
    asked[7] = {"id": 7, "x": "nonsense"}
    requests.write_text("\n".join(map(json.dumps, asked)))

    job = shell.json("run", spec)
    assert job["from"] is None
    assert f"is RUNNING already ({job['job_id']})" in shell.call("run", spec, code=1)
    assert shell.json("feed", spec, file, "--rate", "4000")["samples"] == 5_000

    first = shell.json("snapshot", spec, "--now", "--out", "first.model")
    assert (first["samples"], first["dead_letters"]) == (5_000, 0)
    shown = shell.json("show", "first.model")
    assert sorted(shown["weights"]) == ["f0", "f1", "f2", "f3"]
    assert {p: account["count"] for p, account in shown["ledger"].items()} == {
        "0": 2_500,
        "1": 2_500,
    }
    replayed = shell.json("replay", spec, file)
    assert first["metrics"]["accuracy"] == pytest.approx(replayed["metrics"]["accuracy"], abs=0.03)

    # one answer a line in the order of the file; the one without a prediction decides the code
    asking = shell.ended("predict", spec, requests)
    assert asking.returncode == 1
    assert b"1 of 1,000 requests have no prediction" in asking.stderr
    answers = [json.loads(line) for line in asking.stdout.splitlines()]
    assert [answer["id"] for answer in answers] == list(range(1_000))
    assert "error" in answers[7]
    truth = [json.loads(record)["y"] for record in records[5_000:]]
    right = [a["prediction"] == y for a, y in zip(answers, truth, strict=True) if "error" not in a]
    assert sum(right) / len(right) > 0.75

    told = shell.call("watch", spec, "--json", "--for", "1").splitlines()
    assert json.loads(told[-1])["samples"] == 5_000
    assert "5,000 samples" in shell.call("watch", spec, "--for", "1")

    stopped = shell.json("stop", spec)
    assert "no job named" in shell.call("stop", spec, code=1)
    again = shell.json("run", spec, "--from", "latest")
    assert again["from"].removeprefix("file://") in stopped["savepoint"].replace("file:", "")
    rest = b"\n".join(records[5_000:])
    assert shell.json("feed", spec, "-", given=rest)["samples"] == 1_000
    second = shell.json("snapshot", spec, "--now", "--out", "second.model")
    assert second["samples"] == 6_000
    assert second["epoch"] > first["epoch"]


def test_run_refuses_more_workers_than_slots_and_paths_without_a_checkpoint(shell: Shell) -> None:
    fields = yaml.safe_load(shell.spec.read_text())
    many = shell.folder / "many.yaml"
    many.write_text(yaml.safe_dump({**fields, "training": {"workers": 99}}))
    assert "training.workers is 99" in shell.call("run", many, code=1)
    assert "no checkpoint and no savepoint" in shell.call(
        "run", shell.spec, "--from", "latest", code=1
    )
    assert "no complete checkpoint" in shell.call("run", shell.spec, "--from", "/", code=2)


def test_up_refuses_a_second_time_and_down_leaves_nothing(tmp_path: Path) -> None:
    def call(*arguments: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*COMMAND, *arguments, "--folder", str(tmp_path / "stack")],
            capture_output=True,
            check=False,
        )

    try:
        told = json.loads(call("up", "--slots", "1", "--json").stdout)
        assert told["running"]
        assert told["slots"] == 1
        second = call("up")
        assert second.returncode == 1
        assert b"is up already" in second.stderr
        assert call("status").returncode == 0
    finally:
        ended = call("down")
    assert ended.returncode == 0
    assert not any(psutil.pid_exists(member["pid"]) for member in told["members"])
    assert not (tmp_path / "stack").exists()
    assert call("status").returncode == 1
    assert b"nothing was running" in call("down").stdout


@pytest.mark.parametrize(("seconds", "by"), [(5, signal.SIGINT), (30, signal.SIGTERM)])
def test_the_demo_leaves_nothing_when_it_is_broken_off(
    tmp_path: Path, seconds: float, by: signal.Signals
) -> None:
    demo = subprocess.Popen(
        [*COMMAND, "demo"],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        # a run in the background of a shell may have been told to ignore it
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    time.sleep(seconds)
    demo.send_signal(by)
    said, _ = demo.communicate(timeout=60)
    assert demo.returncode == 130
    assert b"interrupted" in said
    assert b"Traceback" not in said
    assert list(tmp_path.iterdir()) == []
    assert not [p.pid for p in psutil.process_iter(["cmdline"]) if _mentions(p, tmp_path)]


def _mentions(process: psutil.Process, folder: Path) -> bool:
    return any(str(folder) in part for part in process.info["cmdline"] or [])
