"""Logistic regression on one record at a time, as a user of PyFlink would write it with numpy."""

from __future__ import annotations

import json
import math
import time
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from pyflink.datastream import ProcessFunction, RuntimeContext
from reading import reader

_EVERY = 1000  # records, from one line of figures to the next


class OnlineLogisticRegression(ProcessFunction):
    """A model in each subtask; its figures as JSON lines: samples and summed loss so far."""

    def __init__(self, encoding: str, kind: str, bits: int, rate: float) -> None:
        self._encoding, self._kind, self._bits, self._rate = encoding, kind, bits, rate

    def open(self, runtime_context: RuntimeContext) -> None:
        self._read = reader(self._encoding)
        self._subtask = runtime_context.get_index_of_this_subtask()
        dense = self._kind == "numbers"
        self._weights = np.zeros(8 if dense else 1 << self._bits)
        self._intercept, self._samples, self._loss = 0.0, 0, 0.0
        self._count, self._mean, self._squares = 0, np.zeros(8), np.zeros(8)

    def process_element(self, value: str, ctx: Any) -> Iterator[str]:
        features, label = self._read(value.encode())
        if self._kind == "numbers":
            self._dense(np.array(list(features.values())), label)
        else:
            self._sparse(features, label)
        self._samples += 1
        if self._samples % _EVERY == 0:
            line = {"subtask": self._subtask, "samples": self._samples, "loss": self._loss}
            yield json.dumps({**line, "at_s": time.time()})

    def _dense(self, x: np.ndarray, label: int) -> None:
        self._count += 1
        step = x - self._mean
        self._mean += step / self._count
        self._squares += step * (x - self._mean)
        if self._count > 1:
            x = (x - self._mean) / np.sqrt(np.maximum(self._squares / self._count, 1e-12))
        error = self._error(float(self._weights @ x) + self._intercept, label)
        self._weights -= self._rate * error * x
        self._intercept -= self._rate * error

    def _sparse(self, features: dict[str, Any], label: int) -> None:
        names = [f"{k}={v}" if isinstance(v, str) else k for k, v in features.items()]
        slots = np.array([zlib.crc32(name.encode()) % len(self._weights) for name in names])
        values = np.array([1.0 if isinstance(v, str) else v for v in features.values()])
        error = self._error(float(self._weights[slots] @ values) + self._intercept, label)
        self._weights[slots] -= self._rate * error * values
        self._intercept -= self._rate * error

    def _error(self, logit: float, label: int) -> float:
        p = 1 / (1 + math.exp(-max(min(logit, 35.0), -35.0)))
        self._loss -= math.log(max(p if label else 1 - p, 1e-15))
        return p - label
