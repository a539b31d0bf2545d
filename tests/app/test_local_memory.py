"""The local stack's TaskManagers have the memory that was asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flink_ol.app.main import app
from flink_ol.local import cluster, flink_files, jars
from flink_ol.local.flink_files import FlinkFolder
from flink_ol.local.java import Java
from flink_ol.local.processes import ProcessRecord
from flink_ol.local.stack_record import StackRecord


def test_a_task_managers_jvm_has_the_heap_that_flink_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jars, "fetch", lambda name: [])
    java = Java(tmp_path, 17, "the test")
    flink_files.write(
        tmp_path, java, rest_url="http://127.0.0.1:1", rpc_port=2, slots=2, heap_mib=700
    )
    files = FlinkFolder(tmp_path)
    assert files.settings()["taskmanager.memory.task.heap.size"] == "700m"
    heap = 700 + flink_files.FRAMEWORK_HEAP
    assert f"-Xmx{heap}m" in flink_files.task_manager_memory_options(files)


def test_the_end_of_a_jvm_without_memory_is_told_and_no_other(tmp_path: Path) -> None:
    said = "Terminating due to java.lang.OutOfMemoryError: Java heap space"
    (tmp_path / "tm-1.out").write_text(f"WARNING: something\n{said}\n")
    (tmp_path / "tm-2.out").write_text("WARNING: something\n")
    assert [cluster.end_of(tmp_path, f"tm-{i}") for i in (1, 2, 3)] == [said, None, None]


def test_status_names_the_task_manager_that_ended_without_memory(tmp_path: Path) -> None:
    ended = ProcessRecord("tm-1", 2**22 + 1, 0.0)  # beyond all that Linux gives
    nowhere = "127.0.0.1:1"
    record = StackRecord("id", nowhere, f"http://{nowhere}", False, False, 2, 1, [ended])
    record.write(tmp_path)
    logs = FlinkFolder(tmp_path / "flink").logs
    logs.mkdir(parents=True)
    said = "Terminating due to java.lang.OutOfMemoryError: Java heap space"
    (logs / "tm-1.out").write_text(said)
    result = CliRunner().invoke(app, ["status", "--folder", str(tmp_path)])
    assert result.exit_code == 1
    assert f"tm-1: {said}" in " ".join(result.output.split())
    assert "flink-ol up --heap MIB" in " ".join(result.output.split())
    as_json = CliRunner().invoke(app, ["status", "--folder", str(tmp_path), "--json"])
    (member,) = json.loads(as_json.output)["members"]
    assert (member["alive"], member["reason"]) == (False, said)
