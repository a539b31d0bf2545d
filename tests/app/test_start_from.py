"""Beginning with a model file, from the specification on: `replay` and the refusals of `run`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from flink_ol.app.main import app
from tests.running_job import json_records

RECORDS = json_records(13, 900)


def _call(*arguments: str | Path, code: int = 0) -> Any:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return result


def _spec(folder: Path, **sections: Any) -> Path:
    path = folder / "job.yaml"
    path.write_text(yaml.safe_dump({"name": "job", **sections}))
    return path


def _replay(spec: Path, first: int, end: int, name: str, code: int = 0) -> Any:
    file = spec.parent / "records.ndjson"
    file.write_bytes(b"\n".join(RECORDS[first:end]))
    return _call("replay", spec, file, "--out", spec.parent / name, code=code)


def test_replay_in_two_parts_gives_the_weights_of_one(tmp_path: Path) -> None:
    spec = _spec(tmp_path)
    _replay(spec, 0, 900, "whole.model")
    _replay(spec, 0, 400, "first.model")
    start = {"file": str(tmp_path / "first.model")}
    _replay(
        _spec(tmp_path, model={"family": "linear", "start_from": start}), 400, 900, "second.model"
    )
    whole, second = (
        json.loads(_call("show", tmp_path / name, "--json").stdout)
        for name in ("whole.model", "second.model")
    )
    assert second["weights"] == pytest.approx(whole["weights"], rel=1e-12)
    assert second["ledger"]["0"]["count"] == 500


def test_a_model_that_does_not_fit_is_refused_by_what_does_not(tmp_path: Path) -> None:
    _replay(_spec(tmp_path), 0, 400, "first.model")
    start = {"file": str(tmp_path / "first.model")}
    other = _spec(
        tmp_path,
        model={"family": "fm", "start_from": start},
        features={"hash_bits": 10},
    )
    said = _replay(other, 0, 10, "no.model", code=2).stderr
    assert "model.start_from.file" in said
    assert "model.family: linear -> fm" in said
    assert "features.hash_bits: null -> 10" in said


@pytest.mark.parametrize("content", [None, b"no model"])
def test_a_file_that_is_no_model_is_refused_with_its_path(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "first.model"
    if content is not None:
        path.write_bytes(content)
    spec = _spec(tmp_path, model={"family": "linear", "start_from": {"file": str(path)}})
    said = _replay(spec, 0, 10, "no.model", code=2).stderr
    assert f"model.start_from.file: {path}" in said
