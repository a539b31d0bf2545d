"""Our own core in a plain loop around confluent-kafka: no Flink, no checkpoints, no guarantees."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from meter import Meter, task
from source import batches

from flink_ol.core.evaluation import metrics
from flink_ol.core.learner import Learner
from flink_ol.core.loop import Loop
from flink_ol.job.spec import Spec
from flink_ol.wire.formats import sample_format


def main() -> None:
    asked = task()
    spec = Spec.model_validate(
        {"name": "core", "samples": {"format": asked["format"]}, **asked["spec"]}
    )
    decoder = sample_format(spec.samples.format, spec.samples.fields, spec.learning)
    learner = Learner(spec.learning, spec.metrics.evaluation)
    loop = Loop(learner, spec.name, spec.hash, lambda: int(time.time() * 1000))
    meter = Meter(asked["seconds"], "confluent-kafka", "numpy", "numba")
    for messages in batches(asked, meter, max(1, asked["batch"] // asked["samples_each"])):
        partitions: dict[int, list[Any]] = {}
        for message in messages:
            partitions.setdefault(message.partition(), []).append(message)
        for partition, part in partitions.items():
            offsets = np.array([message.offset() for message in part], np.int64)
            samples, rejections = decoder.decode([message.value() for message in part], offsets)
            loop.batch(partition, samples, rejections)
        # summing up costs as much as learning a few batches
        count = len(messages) * asked["samples_each"]
        told = meter.due or meter.passes(count)
        meter.add(count, _loss(loop, spec) - meter.loss if told else 0.0)
    meter.add(0, _loss(loop, spec) - meter.loss)
    meter.end()


def _loss(loop: Loop, spec: Spec) -> float:
    told = loop.metrics()
    return float(metrics(told.sums, spec.learning, told.recent)["log_loss"]) * told.samples


if __name__ == "__main__":
    main()
