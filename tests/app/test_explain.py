"""`explain` and `diff`, called as a user calls them, against what follows from the arrays."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from flink_ol.app.main import app
from flink_ol.client import Model
from flink_ol.core.config import HiddenLayer, MlpModel
from tests.client.trained import BINARY, MULTICLASS, file_of, learning_of, records_of, snapshot_of


def _call(*arguments: str | int | Path, code: int = 0) -> Any:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return result


def _file(path: Path, task: dict[str, Any], count: int = 60, **sections: Any) -> Path:
    learning = learning_of(task, **sections)
    path.write_bytes(file_of(snapshot_of(learning, records_of(learning, count))))
    return path


def test_the_strongest_features_come_first_by_name(tmp_path: Path) -> None:
    file = _file(tmp_path / "a.model", BINARY)
    fields = json.loads(_call("explain", file, "--json", "--top", 3).stdout)
    model = Model.load(file)
    (strongest,) = fields["strongest"]
    weights = sorted(model.weights.values(), key=abs, reverse=True)  # type: ignore[arg-type]
    assert [one["weight"] for one in strongest["features"]] == weights[:3]
    for one in strongest["features"]:
        assert model.weights[one["name"]] == one["weight"]
        if one["name"] in model.scaler:
            deviation = math.sqrt(model.scaler[one["name"]]["variance"])
            assert one["per_unit"] == pytest.approx(one["weight"] / deviation)
        else:
            assert one["per_unit"] is None
    text = _call("explain", file).stdout
    assert "kind=a" in text and "per unit" in text  # noqa: PT018


def test_classes_are_explained_one_by_one(tmp_path: Path) -> None:
    file = _file(tmp_path / "a.model", MULTICLASS)
    fields = json.loads(_call("explain", file, "--json").stdout)
    assert [one["output"] for one in fields["strongest"]] == ["red", "green", "blue"]
    assert "[green]" in _call("explain", file).stdout


@pytest.mark.parametrize("task", [BINARY, MULTICLASS], ids=str)
def test_contributions_of_a_sample_add_up_to_its_score(tmp_path: Path, task: dict) -> None:
    file = _file(tmp_path / "a.model", task, features={"crosses": ["kind*size"]})
    sample = tmp_path / "sample.ndjson"
    sample.write_bytes(
        orjson.dumps({"x": {"size": 4.0, "age": 1.0, "kind": "a", "new": 3}, "id": "q"})
        + b"\n"
        + orjson.dumps({"x": {}})
    )
    lines = _call("explain", file, "--sample", sample, "--json", "--top", 2).stdout.splitlines()
    first, empty = map(json.loads, lines)
    assert (first["id"], first["record"], empty["record"]) == ("q", 1, 2)
    for column in range(len(first["outputs"])):
        parts = [one["contribution"][column] for one in first["features"]]
        total = first["intercept"][column] + first["others"][column] + sum(parts)
        assert total == pytest.approx(first["score"][column], rel=1e-12, abs=1e-14)
    assert empty["score"] == empty["intercept"]
    assert empty["features"] == []
    text = _call("explain", file, "--sample", sample).stdout
    assert "kind=a*size" in text
    assert "never met" in text


def test_hashed_models_say_how_many_names_meet(tmp_path: Path) -> None:
    file = _file(tmp_path / "a.model", BINARY, features={"hash_bits": 4})
    met = json.loads(_call("explain", file, "--json").stdout)["collisions"]
    assert met["hash_bits"] == 4
    assert 3 <= met["names"] <= 5
    assert 0.0 < met["shared"] < 0.4
    assert 3 <= met["kept"] <= 5
    assert "share theirs (counted)" in _call("explain", file).stdout


def test_a_difference_tells_samples_features_and_weights(tmp_path: Path) -> None:
    learning = learning_of(BINARY)
    records = records_of(learning)
    a, b = tmp_path / "a.model", tmp_path / "b.model"
    more = [*records, orjson.dumps({"x": {"size": 1.0, "kind": "c"}, "y": 1})]
    a.write_bytes(file_of(snapshot_of(learning, records)))
    b.write_bytes(file_of(snapshot_of(learning, more)))
    fields = json.loads(_call("diff", a, b, "--json").stdout)
    assert [model["samples"] for model in fields["models"]] == [60, 61]
    assert fields["features"]["added"] == {"count": 1, "names": ["kind=c"]}
    assert fields["features"]["removed"] == {"count": 0, "names": []}
    before, after = Model.load(a).weights, Model.load(b).weights
    changes = {name: after[name] - before.get(name, 0.0) for name in after}  # type: ignore[operator]
    assert {one["name"]: one["change"] for one in fields["weights"]} == {
        name: change for name, change in changes.items() if change
    }
    assert [abs(one["change"]) for one in fields["weights"]] == sorted(
        map(abs, filter(None, changes.values())), reverse=True
    )
    length = math.sqrt(sum(change**2 for change in changes.values()))
    assert fields["distances"]["weights"]["euclidean"] == pytest.approx(length)
    assert "kind=c" in _call("diff", a, b).stdout
    back = json.loads(_call("diff", b, a, "--json").stdout)
    assert back["features"]["removed"]["names"] == ["kind=c"]


def test_a_model_does_not_differ_from_itself(tmp_path: Path) -> None:
    file = _file(tmp_path / "a.model", MULTICLASS)
    fields = json.loads(_call("diff", file, file, "--json").stdout)
    assert fields["settings"] == fields["metrics"] == {}
    assert fields["weights"] == []
    assert all(one["euclidean"] == 0.0 for one in fields["distances"].values())


def test_settings_that_differ_are_named(tmp_path: Path) -> None:
    a = _file(tmp_path / "a.model", BINARY)
    b = _file(tmp_path / "b.model", BINARY, features={"scale": "none"})
    fields = json.loads(_call("diff", a, b, "--json").stdout)
    assert fields["settings"]["features.scale"] == ["standard", "none"]


def test_what_cannot_be_explained_is_a_wrong_call(tmp_path: Path) -> None:
    file = _file(tmp_path / "a.model", BINARY)
    other = _file(tmp_path / "b.model", MULTICLASS)
    network = _file(tmp_path / "c.model", BINARY, model={"family": "mlp"})
    sample = tmp_path / "s.ndjson"
    sample.write_text('{"x": {"size": 1}}\n{"y": 1}\n')
    assert "s.ndjson record 2: " in _call("explain", file, "--sample", sample, code=2).stderr
    assert "different classes" in _call("diff", file, other, code=2).stderr
    assert "family mlp" in _call("explain", network, code=2).stderr
    assert "family mlp" in _call("explain", network, "--sample", sample, code=2).stderr
    assert "does not exist" in _call("explain", tmp_path / "no.model", code=2).stderr


def test_a_network_is_shown_by_its_arrays_and_not_explained(tmp_path: Path) -> None:
    network = MlpModel(hidden=(HiddenLayer(units=3),), inputs=4)
    file = _file(tmp_path / "a.model", BINARY, model=network)
    shown = _call("show", file).stdout
    assert re.search(r"weights_1\s+\d+ x 3\n", shown)
    assert json.loads(_call("show", file, "--json").stdout)["weights"] == {}
    assert "only linear and fm" in _call("explain", file, code=2).output
