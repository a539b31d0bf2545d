"""The commands that need no cluster, called as a user calls them."""

from __future__ import annotations

import functools
import gzip
import json
import math
import operator
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import numpy as np
import orjson
import pyarrow as pa
import pytest
import yaml
from typer.testing import CliRunner

from flink_ol.app.main import app

_COMMANDS = [
    *("init", "validate", "schema", "up", "status", "down", "run", "stop", "rescale", "feed"),
    *("predict", "watch", "snapshot", "show", "replay", "demo", "explain", "diff", "set"),
]


def _call(*arguments: str | Path, code: int = 0) -> Any:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, (result.output, result.exception)
    assert "Traceback" not in result.output
    return result


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "job.yaml"
    fields = {"name": "job", "optimizer": {"name": "sgd", "learning_rate": 0.05}}
    path.write_text(yaml.safe_dump(fields))
    return path


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    """2,000 samples of a noisy rule over two numbers and a category."""
    rng = np.random.default_rng(5)
    path = tmp_path / "samples.ndjson"
    with path.open("wb") as stream:
        for _ in range(2_000):
            a, b = rng.normal(10.0, 4.0), rng.normal()
            kind = str(rng.choice(["red", "blue"]))
            label = int(a - 10 + 3 * b + 2 * (kind == "red") + rng.normal() > 0)
            record = {"x": {"a": a, "b": b, "kind": kind}, "y": label}
            stream.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))
    return path


def _plain_loop(path: Path, rate: float, intercept_rate: float = 0.01) -> dict[str, Any]:
    """One sample after the other in plain floats: score, then the scaler learns, then the step."""
    weights: dict[str, float] = {}
    moments: dict[str, tuple[float, float, float]] = {}  # count, mean, squared deviations
    intercept, right, loss, count = 0.0, 0, 0.0, 0

    def scaled(features: dict[str, Any]) -> dict[str, float]:
        values = {}
        for name, value in features.items():
            if isinstance(value, str):
                values[f"{name}={value}"] = 1.0
            else:
                n, mean, deviations = moments.get(name, (0.0, 0.0, 0.0))
                variance = deviations / n if n else 0.0
                values[name] = (value - mean) / math.sqrt(variance) if variance else 0.0
        return values

    def probability(values: dict[str, float]) -> float:
        raw = intercept + sum(weights.get(name, 0.0) * value for name, value in values.items())
        return 1.0 / (1.0 + math.exp(-raw))

    for line in path.read_bytes().splitlines():
        record = json.loads(line)
        label = record["y"]
        p = probability(scaled(record["x"]))
        right += (p > 0.5) == (label == 1)
        loss -= math.log(p if label else 1.0 - p)
        count += 1
        for name, value in record["x"].items():
            if not isinstance(value, str):
                n, mean, deviations = moments.get(name, (0.0, 0.0, 0.0))
                new_mean = mean + (value - mean) / (n + 1)
                squares = deviations + (value - mean) * (value - new_mean)
                moments[name] = (n + 1, new_mean, squares)
        values = scaled(record["x"])
        gradient = probability(values) - label
        intercept -= intercept_rate * gradient
        for name, value in values.items():
            weights[name] = weights.get(name, 0.0) - rate * gradient * value
    return {
        "accuracy": right / count,
        "log_loss": loss / count,
        "weights": weights,
        "intercept": intercept,
    }


def test_replay_gives_the_numbers_of_a_plain_loop(
    spec: Path, samples: Path, tmp_path: Path
) -> None:
    expected = _plain_loop(samples, 0.05)
    out = tmp_path / "m.model"
    told = json.loads(_call("replay", spec, samples, "--json", "--out", out).stdout)
    assert (told["samples"], told["dead_letters"]) == (2_000, 0)
    assert told["version"] >= 1
    assert told["metrics"]["accuracy"] == expected["accuracy"] > 0.8
    assert told["metrics"]["log_loss"] == pytest.approx(expected["log_loss"], rel=1e-9)
    shown = json.loads(_call("show", out, "--json").stdout)
    assert shown["weights"] == pytest.approx(expected["weights"], rel=1e-9)
    assert shown["intercept"] == pytest.approx(expected["intercept"], rel=1e-9)


def test_replay_says_where_it_is_not_the_mode_of_the_specification(
    samples: Path, tmp_path: Path
) -> None:
    for mode, said in (("sync", True), ("bounded", True), ("local", False), ("exact", False)):
        path = tmp_path / f"{mode}.yaml"
        path.write_text(f"name: {mode}\ntraining: {{mode: {mode}}}\n")
        result = _call("replay", path, samples)
        assert (f"training.mode {mode} is not replayed" in result.stderr) is said


def test_replay_reads_gzip_as_it_reads_text(spec: Path, samples: Path, tmp_path: Path) -> None:
    packed = tmp_path / "samples.gz"
    packed.write_bytes(gzip.compress(samples.read_bytes()))
    first, second = (
        json.loads(_call("replay", spec, path, "--json").stdout)["metrics"]
        for path in (samples, packed)
    )
    assert first == second


def test_replay_reads_batches_of_arrow_and_counts_their_rows(
    spec: Path, samples: Path, tmp_path: Path
) -> None:
    rows = [orjson.loads(line) for line in samples.read_bytes().splitlines()]
    table = pa.Table.from_pylist([{**row["x"], "y": row["y"]} for row in rows])
    bad = pa.Table.from_pylist([{"a": math.nan, "b": 1.0, "kind": "red", "y": 1}])
    path = tmp_path / "samples.arrow"
    with pa.ipc.new_file(path, table.schema) as writer:
        for batch in table.to_batches(300) + bad.cast(table.schema).to_batches():
            writer.write_batch(batch)
    expected = json.loads(_call("replay", spec, samples, "--json").stdout)
    arrow = tmp_path / "arrow.yaml"
    arrow.write_text(spec.read_text() + "samples: {format: arrow}\n")
    result = _call("replay", arrow, path, "--json")
    told = json.loads(result.stdout)
    assert told["metrics"] == expected["metrics"]
    assert (told["samples"], told["dead_letters"]) == (2_000, 1)
    assert "record 8: row 0: feature 'a' is nan" in result.stderr.replace("\n", " ")


def test_replay_counts_what_it_cannot_learn_from_and_says_why(
    spec: Path, samples: Path, tmp_path: Path
) -> None:
    lines = samples.read_bytes().splitlines()
    bad = [b'{"x": {"a": 1', b'{"x": {"a": 1}}', b'{"x": {"a": NaN}, "y": 1}', b"[]"]
    mixed = tmp_path / "mixed.ndjson"
    mixed.write_bytes(b"\n".join([*lines[:10], *bad, *lines[10:]]))
    result = _call("replay", spec, mixed, "--json", "--out", tmp_path / "m.model")
    told = json.loads(result.stdout)
    assert (told["samples"], told["dead_letters"]) == (2_000, 4)
    assert told["metrics"] == json.loads(_call("replay", spec, samples, "--json").stdout)["metrics"]
    assert "mixed.ndjson record 11: " in result.stderr
    assert "mixed.ndjson record 14: " not in result.stderr  # only the first few are told
    ledger = json.loads(_call("show", tmp_path / "m.model", "--json").stdout)["ledger"]["0"]
    assert ledger["count"] == 2_000
    assert (ledger["rejected"]["first"], ledger["rejected"]["last"]) == (10, 13)
    everything = int(ledger["sum"]) + int(ledger["rejected"]["sum"])
    assert everything == sum(range(2_004))
    folded = functools.reduce(operator.xor, range(2_004))
    assert int(ledger["xor"]) ^ int(ledger["rejected"]["xor"]) == folded


def test_replay_of_nothing_is_the_initial_model(spec: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"\n\n")
    told = json.loads(_call("replay", spec, tmp_path / "empty", "--json").stdout)
    assert (told["samples"], told["dead_letters"], told["version"]) == (0, 0, 0)


def test_show_tells_a_person_what_is_in_a_model(spec: Path, samples: Path, tmp_path: Path) -> None:
    _call("replay", spec, samples, "--out", tmp_path / "m.model")
    text = _call("show", tmp_path / "m.model").stdout
    for expected in ("job, binary, linear model with sgd", "2,000 learned", "kind=red", "majority"):
        assert expected in text


def test_replay_for_a_person_has_metrics_beside_baselines(spec: Path, samples: Path) -> None:
    text = _call("replay", spec, samples).stdout
    assert "2,000 samples" in text
    assert "accuracy" in text
    assert "no change" in text


def test_what_init_writes_is_valid_and_without_warnings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _call("init", "my-job")
    told = json.loads(_call("validate", "my-job.yaml", "--json").stdout)
    assert told["name"] == "my-job"
    assert told["warnings"] == []
    assert _call("validate", "my-job.yaml").stderr == ""


def test_init_does_not_overwrite_and_refuses_names_that_kafka_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _call("init", "a")
    assert "a.yaml exists" in _call("init", "a", code=2).stderr
    _call("init", "a", "--force")
    assert "name" in _call("init", "no spaces", code=2).stderr
    assert list(tmp_path.iterdir()) == [tmp_path / "a.yaml"]


def test_the_schema_is_one_and_accepts_what_validate_accepts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _call("init", "a")
    schema = json.loads(_call("schema").stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(yaml.safe_load(Path("a.yaml").read_text()), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"name": "a", "task": "ternary"}, schema)


def test_the_example_is_valid() -> None:
    example = Path(__file__).parents[2] / "jobs" / "flights.yaml"
    assert json.loads(_call("validate", example, "--json").stdout)["warnings"] == []


def test_all_problems_of_a_specification_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("name: a b\ntask: binari\ntraining: {workers: 0}\nextra: 1\n")
    text = _call("validate", path, code=2).stderr
    for key in ("name", "task", "training.workers", "extra"):
        assert f"{path}: {key}: " in text


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["validate", "absent.yaml"], "absent.yaml does not exist"),
        (["replay", "SPEC", "absent.ndjson"], "absent.ndjson does not exist"),
        (["replay", "SPEC", "."], "is a folder"),
        (["replay", "SPEC", "SPEC", "--out", "no/such/m.model"], "does not exist"),
        (["validate", "."], ". is a folder"),
        (["show", "absent.model"], "absent.model does not exist"),
        (["show", "."], ". is a folder"),
        (["show", "SPEC"], "SPEC holds no model"),
        (["explain", "SPEC"], "SPEC holds no model"),
        (["diff", "SPEC", "SPEC"], "SPEC holds no model"),
        (["feed", "SPEC", "-", "--repeat", "2"], "standard input can be read only once"),
        (["feed", "SPEC", "SPEC", "--partition", "9"], "samples.partitions is 4"),
        (["run", "SPEC", "--rest-url", "localhost:8081"], "http://HOST:PORT"),
        (["run", "SPEC", "--rest-url", "http://127.0.0.1:1", "--from", "x"], "no Flink cluster"),
    ],
)
def test_wrong_calls_end_with_one_message(
    spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code = 1 if "no Flink cluster" in told else 2
    result = _call(*(str(spec) if each == "SPEC" else each for each in arguments), code=code)
    assert told.replace("SPEC", str(spec)) in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["status"], "`flink-ol up` starts one"),
        (["run", "SPEC"], "start one with `flink-ol up`"),
        (["stop", "SPEC"], "start one with `flink-ol up`"),
        (["snapshot", "SPEC", "--out", "m"], "no Kafka broker answers at 127.0.0.1:1"),
        (["predict", "SPEC", "SPEC"], "no Kafka broker answers at 127.0.0.1:1"),
        (["feed", "SPEC", "SPEC"], "no Kafka broker answers at 127.0.0.1:1"),
        (["watch", "SPEC"], "no Kafka broker answers at 127.0.0.1:1"),
    ],
)
def test_failures_say_what_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("job.yaml").write_text("name: job\nkafka: {bootstrap_servers: 127.0.0.1:1}\n")
    result = _call(*("job.yaml" if each == "SPEC" else each for each in arguments), code=1)
    assert told in result.stderr
    assert "unexpected" not in result.stderr


@pytest.mark.parametrize("command", _COMMANDS)
def test_every_command_has_help_with_an_example(command: str) -> None:
    text = _call(command, "--help").stdout
    assert f"flink-ol {command}" in text


def test_the_commands_are_those_of_the_list() -> None:
    assert sorted(command.name or "" for command in app.registered_commands) == sorted(_COMMANDS)


def test_unknown_options_are_wrong_calls(spec: Path) -> None:
    assert "--sample" in _call("replay", spec, "f", "--sample", "3", code=2).output
