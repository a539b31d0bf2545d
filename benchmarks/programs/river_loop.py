"""River, one sample at a time: logistic regression by SGD, numbers standardised as they come."""

from __future__ import annotations

import math
from numbers import Number
from typing import Any

from meter import Meter, task
from reading import reader
from river import compose, linear_model, optim, preprocessing
from source import batches


def model(kind: str, rate: float) -> Any:
    """The pipeline that River's documentation would build for such features."""
    learner = linear_model.LogisticRegression(optim.SGD(rate))
    if kind == "sparse":
        return learner
    if kind == "numbers":
        return preprocessing.StandardScaler() | learner
    numbers = compose.SelectType(Number) | preprocessing.StandardScaler()
    categories = compose.SelectType(str) | preprocessing.OneHotEncoder()
    return (numbers + categories) | learner


def main() -> None:
    asked = task()
    read = reader(asked["format"])
    learner = model(asked["kind"], asked["rate"])
    meter = Meter(asked["seconds"], "river", "confluent-kafka")
    for messages in batches(asked, meter, 500):
        loss = 0.0
        for message in messages:
            features, label = read(message.value())
            p = learner.predict_proba_one(features).get(True, 0.5)
            loss -= math.log(max(p if label else 1 - p, 1e-15))
            learner.learn_one(features, bool(label))
        meter.add(len(messages), loss)
    meter.end()


if __name__ == "__main__":
    main()
