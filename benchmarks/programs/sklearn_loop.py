"""scikit-learn's partial_fit, in batches of a given size; predicts each before it learns it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from meter import Meter, task
from reading import reader
from sklearn.feature_extraction import FeatureHasher
from sklearn.linear_model import SGDClassifier
from sklearn.neural_network import MLPClassifier
from source import batches


def main() -> None:
    asked = task()
    read, size, classes = reader(asked["format"]), asked["batch"], np.arange(asked["classes"])
    if asked["kind"] == "image":
        model: Any = MLPClassifier((128,), batch_size=size)
    else:
        model = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=asked["rate"])
    hasher = FeatureHasher(1 << asked["bits"], alternate_sign=False)
    meter = Meter(asked["seconds"], "scikit-learn", "numpy", "confluent-kafka")
    untrained = True
    for messages in batches(asked, meter, size):
        samples = [read(message.value()) for message in messages]
        labels = np.array([label for _, label in samples])
        rows = [features for features, _ in samples]
        if asked["kind"] == "numbers":
            x: Any = np.array([list(row.values()) for row in rows], np.float64)
        elif asked["kind"] == "image":
            x = np.array(rows, np.float64) / 255
        else:
            x = hasher.transform(rows)
        if untrained:
            loss, untrained = len(samples) * math.log(len(classes)), False
        else:
            p = model.predict_proba(x)[np.arange(len(samples)), labels]
            loss = -float(np.log(np.maximum(p, 1e-15)).sum())
        model.partial_fit(x, labels, classes)
        meter.add(len(samples), loss)
    meter.end()


if __name__ == "__main__":
    main()
