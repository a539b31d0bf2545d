"""The local stack's TaskManagers have the memory that was asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from flink_ol.local import flink_files, jars
from flink_ol.local.flink_files import FlinkFolder
from flink_ol.local.java import Java


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
