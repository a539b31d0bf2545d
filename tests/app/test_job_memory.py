"""A model too large for the TaskManagers' heap is told of before its job is submitted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from flink_ol.app import job_commands
from flink_ol.app.errors import FailureError
from flink_ol.app.flink_rest import FlinkRest, Job
from flink_ol.app.job_memory import check_heap, model_bytes
from flink_ol.app.main import app
from flink_ol.core.learner import Learner
from flink_ol.core.loop import Loop
from flink_ol.job.spec import Spec
from flink_ol.wire.formats import sample_format
from flink_ol.wire.json_samples import JsonFields

MIB = 1 << 20


class Cluster(FlinkRest):
    """Of TaskManagers whose heaps have so many MiB."""

    def __init__(self, *heaps: int) -> None:
        super().__init__("http://127.0.0.1:1")
        self._heaps = heaps

    def task_heaps(self) -> list[int]:
        return [heap * MIB for heap in self._heaps]

    def jobs(self) -> list[Job]:
        return []

    def overview(self) -> dict[str, Any]:
        return {"slots-available": 8}


def text(hidden: int = 128, workers: int = 2, inputs: int = 3072, dtype: str = "float32") -> str:
    return f"""
name: images
task: multiclass
classes: 100
model: {{family: mlp, hidden: [{hidden}], inputs: {inputs}, dtype: {dtype}}}
optimizer: {{name: adam, learning_rate: 0.001}}
training: {{workers: {workers}}}
"""


def spec(**options: Any) -> Spec:
    return Spec.parse(text(**options))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_size_is_that_of_the_arrays_once_all_features_have_come(dtype: str) -> None:
    chosen = spec(hidden=5, inputs=40, dtype=dtype)
    made = sample_format("json", JsonFields(), chosen.learning)
    record = made.encode([1.0] * 40, 1)
    loop = Loop(Learner(chosen.learning), "a", "", lambda: 0)
    loop.batch(0, *made.decode([record], np.array([0])))
    arrays = loop.snapshot().frame.arrays
    assert model_bytes(chosen) == sum(array.nbytes for array in arrays.values())


def test_models_that_grow_with_their_features_have_no_size_before() -> None:
    linear = Spec.parse("name: a\ntask: binary\n")
    assert model_bytes(linear) is None
    assert check_heap(linear, Cluster(1), local=True) is None


def hashed(bits: int, workers: int = 2, more: str = "") -> Spec:
    return Spec.parse(
        f"{{name: a, features: {{hash_bits: {bits}, scale: none}}, "
        f"training: {{workers: {workers}}}{more}}}"
    )


@pytest.mark.parametrize("optimizer", ["sgd", "ftrl", "adam"])
def test_hashed_features_have_the_size_of_all_keys_and_arrays_there_can_be(optimizer: str) -> None:
    chosen = hashed(6, more=f", optimizer: {{name: {optimizer}}}")
    made = sample_format("json", JsonFields(), chosen.learning)
    records = [made.encode({str(i): 1.0 for i in range(2_000)}, 1)]
    loop = Loop(Learner(chosen.learning), "a", "", lambda: 0)
    loop.batch(0, *made.decode(records, np.array([0])))
    frame = loop.snapshot().frame
    assert len(frame.keys) == 2**6
    arrays = sum(array.nbytes for array in frame.arrays.values())
    assert model_bytes(chosen) == arrays + frame.keys.nbytes


def test_a_hashed_model_that_outgrows_the_heap_is_told_with_the_remedy() -> None:
    told = check_heap(hashed(20), Cluster(448), local=True) or ""
    for part in (
        "model: 16 MiB with what sgd keeps (hash_bits 20, if all of them come to be used)",
        "for each of 2 workers in a TaskManager, whose heap for tasks is 448 MiB",
        "may end in Java's OutOfMemoryError",
        "`flink-ol down; flink-ol up --heap 1600`",
    ):
        assert part in told
    assert check_heap(hashed(20), Cluster(1600), local=True) is None


def test_features_that_may_never_come_are_no_reason_to_refuse() -> None:
    assert "--heap" in (check_heap(hashed(30), Cluster(448), local=True) or "")


def test_small_spaces_of_hashes_are_not_warned_of() -> None:
    assert check_heap(hashed(18), Cluster(448), local=True) is None


@pytest.mark.parametrize(
    ("cluster", "workers"),
    [(Cluster(448), 2), (Cluster(1536), 2), (Cluster(1536, 1536, 1536, 1536), 8), (Cluster(), 2)],
)
def test_images_that_were_learned_in_a_heap_are_not_warned_of(
    cluster: Cluster, workers: int
) -> None:
    assert check_heap(spec(workers=workers), cluster, local=True) is None


def test_a_heap_that_may_be_too_small_is_told_with_sizes_and_the_remedy() -> None:
    told = check_heap(spec(hidden=512), Cluster(448), local=True) or ""
    for part in (
        "model: 18.7 MiB with what adam keeps (inputs 3072, hidden [512], float32)",
        "each of 2 workers in a TaskManager, whose heap for tasks is 448 MiB",
        "may end in Java's OutOfMemoryError",
        "`flink-ol down; flink-ol up --heap 1536`",
    ):
        assert part in told
    assert check_heap(spec(hidden=512), Cluster(1536), local=True) is None
    elsewhere = check_heap(spec(hidden=512), Cluster(448), local=False) or ""
    assert "set taskmanager.memory.task.heap.size to 1536m" in elsewhere
    assert "flink-ol up" not in elsewhere


def test_a_heap_that_cannot_hold_the_state_alone_is_refused() -> None:
    with pytest.raises(FailureError, match=r"would end in .*flink-ol up --heap 3008`"):
        check_heap(spec(hidden=512, dtype="float64"), Cluster(448), local=True)


def test_workers_are_shared_out_among_the_task_managers_and_the_smallest_counts() -> None:
    wide = spec(hidden=512, workers=4)
    assert check_heap(wide, Cluster(800, 800, 800, 800), local=True) is None
    assert "4 workers" in (check_heap(wide, Cluster(800), local=True) or "")
    assert "heap for tasks is 448" in (check_heap(wide, Cluster(800, 448, 800), local=True) or "")


def test_run_refuses_before_anything_is_submitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_commands, "flink", lambda folder, url: Cluster(448))
    path = tmp_path / "images.yaml"
    path.write_text(text(hidden=512, dtype="float64"))
    result = CliRunner().invoke(app, ["run", str(path), "--folder", str(tmp_path / "stack")])
    assert result.exit_code == 1
    assert "set taskmanager.memory.task.heap.size to 3008m" in result.output
