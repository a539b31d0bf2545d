"""The specification: defaults, every mistake named at once, nothing of the validator's words."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

from flink_ol.core.config import AdaGrad, Ftrl, Sgd
from flink_ol.job.sections import SAMPLES
from flink_ol.job.spec import Spec, SpecError
from flink_ol.job.topics import topic_settings
from flink_ol.wire.formats import FORMATS

FLIGHTS = """
name: flights
kafka: {bootstrap_servers: 127.0.0.1:9092, properties: {}}
samples: {format: json, partitions: 4}
task: binary
classes: null
model: {family: linear}
features: {scale: standard, intercept: true, hash_bits: null}
optimizer: {name: sgd, learning_rate: 0.005, intercept_learning_rate: 0.01}
training: {mode: local, workers: 2, batch_window_ms: 50}
snapshots: {interval_ms: 5000}
checkpoints: {interval_ms: 5000, directory: null}
"""

REQUIRED = {"csv": ", fields: {columns: [a, y]}"}  # what a format's fields must say


def _problems(text: str) -> list[str]:
    with pytest.raises(SpecError) as raised:
        Spec.parse(text, "job.yaml")
    return raised.value.problems


def test_a_name_is_all_that_is_needed() -> None:
    assert Spec.parse("name: flights") == Spec.parse(FLIGHTS.replace("0.005", "0.01"))


def test_the_sections_are_those_of_the_core() -> None:
    assert Spec.parse(FLIGHTS).learning.optimizer == Sgd(learning_rate=0.005)
    assert isinstance(Spec.parse("{name: a, optimizer: {name: ftrl}}").optimizer, Ftrl)
    assert isinstance(Spec.parse("{name: a, optimizer: {name: adagrad}}").optimizer, AdaGrad)
    step = Spec.parse("{name: a, optimizer: {name: sgd, schedule: {name: step, every: 5}}}")
    assert step.learning.to_json()["optimizer"]["schedule"]["every"] == 5
    classes = Spec.parse("{name: a, task: multiclass, classes: [1, two, 3]}").classes
    assert classes == (1, "two", 3)


# each line of the text, and what is said about it
MISTAKES = [
    ("nme: a", ["nme: there is no such key; did you mean name?", "name: is missing"]),
    ("name: a/b", ["name: 'a/b' is not allowed; give letters, digits, '.', '_' and '-'"]),
    ("name: 5", ["name: 5 is not allowed; give a text"]),
    ("{name: a, taks: binary}", ["taks: there is no such key; did you mean task?"]),
    ("{name: a, task: Binary}", ["task: 'Binary' is not allowed; give one of binary, multi"]),
    ("{name: a, zzz: 1}", ["zzz: there is no such key; there are name, kafka, samples"]),
    (
        "{name: a, samples: {format: cvs, partitions: 0}}",
        ["samples.format: 'cvs' is not allowed; give"],
    ),
    ("{name: a, samples: 5}", ["samples: 5 is not allowed; give a mapping with keys of format"]),
    ("{name: a, samples: {partions: 2}}", ["samples.partions: there is no such key; did you mean"]),
    ("{name: a, samples: {fields: x}}", ["samples.fields: 'x' is not allowed; give a mapping"]),
    (
        "{name: a, samples: {partitions: 0}}",
        ["samples.partitions: 0 is not allowed; give a value of at least 1"],
    ),
    (
        "{name: a, samples: {fields: {lable: y}}}",
        ["samples.fields.lable: there is no such key; did you mean label?"],
    ),
    (
        "{name: a, samples: {format: csv}}",
        ["samples.fields.columns: is missing, and has no default; add it"],
    ),
    (
        "{name: a, samples: {format: csv, fields: {columns: [a, b]}}}",
        ["samples.fields.label: 'y' is not allowed; give one of the columns a, b"],
    ),
    (
        "{name: a, samples: {format: csv, fields: {columns: [a, y], categorical: [y]}}}",
        ["samples.fields.categorical: 'y' is not allowed; give columns of features, of a, y"],
    ),
    (
        "{name: a, samples: {format: csv, fields: {columns: [a, 5], colums: [y]}}}",
        [
            "samples.fields.columns[1]: 5 is not allowed; give a text",
            "samples.fields.colums: there is no such key; did you mean columns?",
        ],
    ),
    (
        "{name: a, samples: {format: vw, fields: {label: y}}}",
        ["samples.fields.label: there is no such key"],
    ),
    (
        "{name: a, training: {workers: two, mode: lockstep}}",
        [
            "training.mode: 'lockstep' is not allowed; give one of async, bounded, exact, local",
        ],
    ),
    (
        "{name: a, training: {workers: two, staleness: 3}}",
        [
            "training.workers: 'two' is not allowed; give an integer",
            "training.staleness: there is no such key",
        ],
    ),
    (
        "{name: a, training: {compression: {}}}",
        ["training.compression.numbers: null is not allowed"],
    ),
    (
        "{name: a, training: {compression: {top: 1.5}}}",
        ["training.compression.top: 1.5 is not allowed; give a value less than 1"],
    ),
    (
        "{name: a, training: {compression: {numbers: int4}}}",
        ["training.compression.numbers: 'int4' is not allowed; give one of float16, int8"],
    ),
    (
        "{name: a, training: {mode: exact, compression: {top: 0.1}}}",
        ["training.compression: {'top': 0.1} is not allowed; give null: mode exact sends samples"],
    ),
    (
        "{name: a, training: {compression: {top: 0.1}}, optimizer: {name: ftrl}}",
        ["training.compression: {'top': 0.1} is not allowed; give null, or a mode of gradients"],
    ),
    (
        "{name: a, training: {compression: {top: 0.1}}, features: {expiry: {untouched_ms: 60000}}}",
        ["training.compression: {'top': 0.1} is not allowed; give null, or no features.expiry"],
    ),
    (
        "{name: a, weights: {numbers: int4, bytes_per_s: 10}}",
        [
            "weights.bytes_per_s: 10 is not allowed; give a value of at least 1000",
            "weights.numbers: 'int4' is not allowed; give one of float16, int8",
        ],
    ),
    (
        "{name: a, weights: {numbers: int8}, training: {mode: sync}}",
        ["weights.numbers: 'int8' is not allowed; give null: results of mode sync repeat"],
    ),
    (
        "{name: a, weights: {numbers: int8}, training: {mode: exact}}",
        ["weights.numbers: 'int8' is not allowed; give null: in mode exact trainers have no use"],
    ),
    (
        "{name: a, weights: {numbers: float16}, optimizer: {name: ftrl}}",
        ["weights.numbers: 'float16' is not allowed; give null: the weights of ftrl follow from"],
    ),
    (
        "{name: a, training: {mode: exact}, model: {family: mlp}}",
        ["training.mode: 'exact' is not allowed; give another mode"],
    ),
    (
        "{name: a, training: {mode: sync, round_samples: null}}",
        ["training.round_samples: null is not allowed; give a number: without passes"],
    ),
    (
        "name: a\ntraining: {mode: sync, round_samples: 5000, waiting_samples: 4999}",
        ["training.waiting_samples: 4999 is not allowed; give at least round_samples, 5000"],
    ),
    (
        "{name: a, training: {mode: async}, optimizer: {name: adaptive}}",
        ["training.mode: 'async' is not allowed; give local or exact"],
    ),
    (
        "{name: a, optimizer: {name: adagard}}",
        ["optimizer.name: 'adagard' is not allowed; give one of adagrad, adam, "],
    ),
    ("{name: a, optimizer: {}}", ["optimizer.name: is missing; give one of adagrad, adam, "]),
    (
        "{name: a, loss: {name: squared}}",
        ["loss.name: 'squared' is not allowed; give one that suits task binary: logistic, hinge"],
    ),
    ("{name: a, loss: {name: hinch}}", ["loss.name: 'hinch' is not allowed; give one of"]),
    (
        "{name: a, task: regression, loss: {name: quantile, level: 1}}",
        ["loss.level: 1 is not allowed; give a value less than 1"],
    ),
    ("{name: a, loss: {name: hinge, lvel: 1}}", ["loss.lvel: there is no such key"]),
    (
        "{name: a, model: {family: linear, l1: 0.1}, optimizer: {name: ftrl}}",
        ["model.l1: 0.1 is not allowed; give none: optimizer ftrl does without, it has its own"],
    ),
    (
        "{name: a, model: {family: mlp}, optimizer: {name: adaptive}}",
        ["optimizer.name: 'adaptive' is not allowed; give another optimizer: adaptive is for"],
    ),
    (
        "{name: a, optimizer: {name: adam, feature_learning_rates: {age: 0}}}",
        ["optimizer.feature_learning_rates.age: 0 is not allowed; give a value greater than 0"],
    ),
    ("{name: a, optimizer: sgd}", ["optimizer: 'sgd' is not allowed; give a mapping"]),
    (
        "{name: a, optimizer: {name: sgd, learningrate: 1}}",
        ["optimizer.learningrate: there is no such key; did you mean learning_rate?"],
    ),
    (
        "{name: a, optimizer: {name: sgd, learning_rate: -1}}",
        ["optimizer.learning_rate: -1 is not allowed; give a value greater than 0"],
    ),
    (
        "{name: a, optimizer: {name: sgd, learning_rate: .nan}}",
        ["optimizer.learning_rate: nan is not allowed; give a finite number"],
    ),
    (
        "{name: a, optimizer: {name: sgd, schedule: {name: step, every: 0}}}",
        ["optimizer.schedule.every: 0 is not allowed; give a value greater than 0"],
    ),
    (
        "{name: a, optimizer: {name: sgd, schedule: {name: step, evry: 3}}}",
        [
            "optimizer.schedule.evry: there is no such key; did you mean every?",
            "optimizer.schedule.every: is missing",
        ],
    ),
    ("{name: a, model: {family: forest}}", ["model.family: 'forest' is not allowed; give"]),
    ("{name: a, model: {family: linear, l2: -1}}", ["model.l2: -1 is not allowed; give a value"]),
    (
        "{name: a, features: {hash_bits: 31, scal: none}}",
        [
            "features.hash_bits: 31 is not allowed; give a value of at most 30",
            "features.scal: there is no such key; did you mean scale?",
        ],
    ),
    ("{name: a, snapshots: 5}", ["snapshots: 5 is not allowed; give a mapping with keys of int"]),
    ("{name: a, 5: x}", ["5: keys are texts; put it in quotes"]),
    ("{name: a, seed: -1}", ["seed: -1 is not allowed; give a value of at least 0"]),
    (
        "{name: a, task: multiclass}",
        ["classes: null is not allowed; give a number or a list of labels: multiclass needs"],
    ),
    ("{name: a, task: multiclass, classes: [x, x]}", ["classes: ('x', 'x') is not allowed"]),
    ("{name: a, task: multiclass, classes: 1}", ["classes: 1 is not allowed"]),
    ("{name: a, classes: [a, b, c]}", ["classes: ('a', 'b', 'c') is not allowed; give null or"]),
    ("{name: a, task: regression, classes: 3}", ["classes: 3 is not allowed; give null"]),
    (
        "{name: a, task: multiclass, classes: [1, 2.5]}",
        ["classes[1]: 2.5 is not allowed; give an integer or a text"],
    ),
    (
        "{name: a, classes: [no, yes]}",
        ["classes: [False, True] is not allowed; give labels in quotes"],
    ),
    (
        "{name: a, kafka: {bootstrap_servers: localhost}}",
        ["kafka.bootstrap_servers: 'localhost' is not allowed; give HOST:PORT"],
    ),
    (
        "{name: a, kafka: {properties: {sasl.mechanism: GSSAPI}}, task: multiclass}",
        [
            "kafka.properties.sasl.mechanism: 'GSSAPI' is not allowed; give one of PLAIN",
            "classes: null is not allowed",
        ],
    ),
    (
        "{name: a, kafka: {properties: {sasl.jaas.config: [hunter2]}}}",
        ["kafka.properties.sasl.jaas.config: the value is not allowed; give a text or"],
    ),
    (
        "{name: a, model: {family: fm, start_from: {fil: x}}}",
        ["model.start_from.fil: there is no such key; did you mean file?"],
    ),
    (
        "{name: a, model: {family: fm, start_from: {}}}",
        ["model.start_from: {} is not allowed; give file or topic, one of them"],
    ),
    (
        "{name: a, model: {family: fm, start_from: {topic: b, bootstrap_servers: c}}}",
        ["model.start_from.bootstrap_servers: 'c' is not allowed; give HOST:PORT"],
    ),
    ("{name: a, start_from: {file: x}}", ["start_from: there is no such key; there are name"]),
    (
        "{name: a, delivery: {dead_letters: twice}}",
        ["delivery.dead_letters: 'twice' is not allowed; give one of at_least_once, exactly_once"],
    ),
    (
        "{name: a, delivery: {transaction_timeout_ms: 12000}}",
        ["delivery.transaction_timeout_ms: 12000 is not allowed; give at least 15000"],
    ),
    (
        "{name: a, checkpoints: {interval_ms: 600000}}",
        ["delivery.transaction_timeout_ms: 900000 is not allowed; give at least 1205000"],
    ),
    ("{name: a, seed: '${UNSET_HERE}', task: b}", ["seed: the environment variable", "task: 'b'"]),
]


@pytest.mark.parametrize(("text", "expected"), MISTAKES, ids=[text for text, _ in MISTAKES])
def test_every_mistake_is_named_with_key_value_and_remedy(text: str, expected: list[str]) -> None:
    problems = _problems(text)
    assert len(problems) == len(expected), problems
    for beginning in expected:
        assert any(problem.startswith(beginning) for problem in problems), problems


@pytest.mark.parametrize("text", [text for text, _ in MISTAKES])
def test_nothing_is_said_in_the_validators_words(text: str) -> None:
    said = " ".join(_problems(text)).lower()
    for word in ("input", "pydantic", "extra", "tag", "discriminator", "union", "dict", "hunter2"):
        assert word not in said


def test_all_mistakes_of_a_file_come_at_once() -> None:
    lines = [
        "name: a/b",
        "samples: {format: json, partitions: 0, fields: {id: 3}}",
        "optimizer: {name: sgd, schedule: {name: stp}}",
        "features: {scale: minmax}",
        "classes: 3",
    ]
    problems = _problems("\n".join(lines))
    keys = {problem.partition(":")[0] for problem in problems}
    assert keys == {
        "name",
        "samples.partitions",
        "samples.fields.id",
        "optimizer.schedule.name",
        "features.scale",
        "classes",
    }


def test_the_error_names_the_file_and_travels_between_processes(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text("nme: a")
    with pytest.raises(SpecError, match=r"job\.yaml: nme: there is no such key") as raised:
        Spec.load(path)
    assert pickle.loads(pickle.dumps(raised.value)).problems == raised.value.problems
    with pytest.raises(SpecError, match="cannot be read"):
        Spec.load(tmp_path / "absent.yaml")


def test_a_specification_made_in_python_is_checked_as_well() -> None:
    with pytest.raises(ValueError, match="multiclass needs"):
        Spec(name="a", task="multiclass")


@pytest.mark.parametrize("name", SAMPLES)
def test_a_specification_of_every_format_travels_between_processes(name: str) -> None:
    spec = Spec.parse(f"{{name: a, samples: {{format: {name}{REQUIRED.get(name, '')}}}}}")
    assert pickle.loads(pickle.dumps(spec)) == spec
    assert type(spec.samples.fields) is FORMATS[name].fields


def test_the_hash_is_that_of_what_decides_the_model() -> None:
    base = Spec.parse(FLIGHTS)
    assert base.hash == Spec.parse(FLIGHTS.replace("workers: 2", "workers: 3")).hash
    assert base.hash == Spec.parse(FLIGHTS.replace("name: flights", "name: other")).hash
    others = [
        FLIGHTS.replace("0.005", "0.006"),
        FLIGHTS.replace("scale: standard", "scale: none"),
        FLIGHTS.replace("partitions: 4", "partitions: 4, fields: {label: late}"),
        FLIGHTS + "seed: 1",
        FLIGHTS + "loss: {name: hinge}",
    ]
    assert len({base.hash, *(Spec.parse(text).hash for text in others)}) == 6


def test_secrets_do_not_show() -> None:
    text = "{name: a, kafka: {properties: {ssl.key.password: hunter2}}}"
    assert "hunter2" not in repr(Spec.parse(text))


def test_what_may_surprise_is_a_warning() -> None:
    assert Spec.parse("{name: a}").warnings == []
    (waits,) = Spec.parse("{name: a, delivery: {predictions: exactly_once}}").warnings
    assert "readers of committed records see an answer at the next checkpoint" in waits
    text = "{name: a, training: {workers: 5}, snapshots: {interval_ms: 1000}}"
    early, idle = Spec.parse(text).warnings
    assert "snapshots.interval_ms is 1000, below checkpoints.interval_ms 5000" in early
    assert "training.workers is 5, above samples.partitions 4" in idle


def test_what_a_job_begins_with_stands_with_the_model_and_is_none_of_its_settings() -> None:
    spec = Spec.parse("{name: a, model: {family: fm, factors: 3, start_from: {file: m.model}}}")
    assert spec.start_from is not None
    assert spec.start_from.file == "m.model"
    assert "start_from" not in spec.learning.to_json()["model"]
    assert Spec.json_schema()["$defs"]["FmModel"]["properties"]["start_from"]["description"]


def test_the_schema_describes_every_key() -> None:
    schema = Spec.json_schema()
    json.dumps(schema)
    modes = ("Local", "Sync", "Bounded", "Async", "Exact")
    own = (
        "Kafka",
        "JsonSamples",
        "Weights",
        "Snapshots",
        "Metrics",
        "Checkpoints",
        "Delivery",
        *modes,
    )
    for node in (schema, *(schema["$defs"][name] for name in own)):
        for key, value in node["properties"].items():
            named = schema["$defs"].get(value.get("$ref", "").rpartition("/")[2], {})
            assert "description" in value or "description" in named or "oneOf" in value, key
    assert set(schema["$defs"]["Sgd"]["properties"]) > {"learning_rate", "schedule"}


def test_a_topics_settings_follow_from_the_specification() -> None:
    spec = Spec.parse("{name: a, samples: {partitions: 7}, kafka: {partitions: 3}}")
    topics = {topic.name: topic for topic in topic_settings(spec)}
    assert set(topics) == {
        f"a.{name}"
        for name in (
            "samples",
            "requests",
            "control",
            "weights",
            "snapshots",
            "predictions",
            "metrics",
            "dead-letters",
        )
    }
    assert topics["a.samples"].partitions == 7
    assert topics["a.requests"].partitions == topics["a.predictions"].partitions == 3
    assert topics["a.weights"].partitions == topics["a.snapshots"].partitions == 1
    assert topics["a.snapshots"].config["cleanup.policy"] == "compact"
    assert int(topics["a.snapshots"].config["max.message.bytes"]) > 8 << 20
