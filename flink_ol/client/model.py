"""A model as a value: loaded from a file or a snapshot, it predicts without Kafka and Flink."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from flink_ol.client.rows import Features, rows_of
from flink_ol.core.config import Learning
from flink_ol.core.features.scaling import COUNT, DEVIATIONS, MEAN
from flink_ol.core.labels import Labels
from flink_ol.core.learner import Learner
from flink_ol.core.ledger import Account
from flink_ol.core.messages import Snapshot, Version
from flink_ol.core.samples import Samples
from flink_ol.core.state import State
from flink_ol.wire.model_file import read_snapshot

Weight = float | dict[str, float]


class Model:
    """One version of a job's model, equal to what the job answers with.

    ``X`` is an array (samples, features), whose columns are the features "0", "1", ... or
    ``names``, NaN standing for absent; or a sequence of mappings from name to number, text or
    boolean. Features that the model does not know count as absent.
    """

    def __init__(self, data: bytes) -> None:
        """``data``: a model file. Raises WireError."""
        self._data = data
        self._snapshot, self.metadata = read_snapshot(data)
        self.learning = Learning.from_json(self._snapshot.learning)
        self._labels = Labels(self.learning.task, self.learning.classes)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Model:
        """The model in a file. Raises OSError, WireError."""
        return cls(Path(path).read_bytes())

    @classmethod
    def from_bytes(cls, data: bytes) -> Model:
        """The model in the bytes of a file. Raises WireError."""
        return cls(data)

    def to_bytes(self) -> bytes:
        """The bytes that it was read from."""
        return self._data

    def save(self, path: str | PathLike[str]) -> None:
        """Write a file that :meth:`load` reads, and any safetensors library."""
        Path(path).write_bytes(self._data)

    @cached_property
    def _learner(self) -> Learner:
        return Learner(self.learning)

    @cached_property
    def _state(self) -> State:
        frame = self._snapshot.frame
        return State.of(self._learner.specs, frame.keys, frame.arrays)

    def predict(self, X: Features, names: Sequence[str] | None = None) -> np.ndarray:
        """Labels, or values in regression: (samples,)."""
        scores = self._scores(X, names)
        if self.learning.task == "regression":
            return scores
        binary = self.learning.task == "binary"
        # of two classes the job answers with the positive one above one half only
        indices = scores[:, 1] > 0.5 if binary else scores.argmax(axis=1)
        return self.classes[indices.astype(np.int64)]

    def predict_proba(self, X: Features, names: Sequence[str] | None = None) -> np.ndarray:
        """Probabilities (samples, classes) in the order of :attr:`classes`."""
        if self.learning.task == "regression":
            raise ValueError("predict_proba: a regression has values, no probabilities: predict")
        return self._scores(X, names)

    def predict_one(self, features: Mapping[str, Any]) -> Any:
        """The label, or the value in regression, for one mapping of features."""
        return self.predict([features]).tolist()[0]

    def predict_proba_one(self, features: Mapping[str, Any]) -> dict[str, float]:
        """Probabilities by label, as the job's answers have them."""
        (row,) = self.predict_proba([features]).tolist()
        return {str(self._labels.decode(i)): p for i, p in enumerate(row)}

    def raw_scores(self, samples: Samples) -> np.ndarray:
        """(samples, outputs) before they are made probabilities: log-odds, logits or values.

        ``samples`` are taken as they are: fill them before.
        """
        return self._learner.scores_of_filled(self._state, samples)

    def filled(self, samples: Samples) -> Samples:
        """``samples`` with the numbers they lack, by features.missing."""
        return self._learner.filled(self._state, samples, False)

    def knows(self, keys: np.ndarray) -> np.ndarray:
        """Whether the model has met the features of ``keys``: bool, as many."""
        known: np.ndarray = self._state.vocabulary.find(keys) >= 0
        return known

    def _scores(self, X: Features, names: Sequence[str] | None) -> np.ndarray:
        samples = rows_of(X, names, self.learning)
        scores = self._learner.predict(self._learner.scores(self._state, samples))
        return scores.reshape(len(samples)) if self.learning.task == "regression" else scores

    @cached_property
    def classes(self) -> np.ndarray:
        """The labels in the order of their indices: (classes,)."""
        labels = [self._labels.decode(i) for i in range(self.learning.class_count)]
        return np.array(labels, object if len({type(label) for label in labels}) > 1 else None)

    @property
    def job(self) -> str:
        """The name of the job that it comes from."""
        return self._snapshot.job

    @property
    def version(self) -> Version:
        """Epoch and number."""
        return self._snapshot.frame.version

    @property
    def snapshot(self) -> Snapshot:
        """Everything, as the core has it."""
        return self._snapshot

    @property
    def ledger(self) -> Mapping[int, Account]:
        """By partition, which samples were learned and rejected."""
        return self._snapshot.ledger

    @property
    def metrics(self) -> Mapping[str, Any]:
        """The progressive evaluation so far, with baselines."""
        return self.metadata["metrics"]

    @cached_property
    def feature_names(self) -> list[str]:
        """In the order of the arrays' rows; a feature without a name has its key in hex."""
        return list(map(self.name_of, self._snapshot.frame.keys.tolist()))

    def name_of(self, key: int) -> str:
        """The name of a feature; its key in hex where it has none."""
        return self._snapshot.names.get(key) or f"#{key % 2**64:016x}"

    @cached_property
    def weights(self) -> dict[str, Weight]:
        """By feature name; for several classes {label: weight}. Empty for a family without."""
        arrays = self._snapshot.frame.arrays
        if "weights" not in arrays:
            return {}
        rows = arrays["weights"].tolist()
        return {
            name: self._by_class(row) for name, row in zip(self.feature_names, rows, strict=True)
        }

    @property
    def intercept(self) -> Weight:
        """For several classes {label: intercept}; 0 if the model has none."""
        none = np.zeros(self.learning.outputs)
        return self._by_class(self._snapshot.frame.arrays.get("intercept", none).tolist())

    def _by_class(self, row: list[float]) -> Weight:
        if self.learning.task != "multiclass":
            return row[0]
        return {str(self._labels.decode(i)): weight for i, weight in enumerate(row)}

    @cached_property
    def scaler(self) -> dict[str, dict[str, float]]:
        """Count, mean and population variance of every number, by feature name."""
        if "scaler" not in self._snapshot.frame.arrays:
            return {}
        rows = self._snapshot.frame.arrays["scaler"].tolist()
        return {
            name: {
                "count": row[COUNT],
                "mean": row[MEAN],
                "variance": row[DEVIATIONS] / row[COUNT],
            }
            for name, row in zip(self.feature_names, rows, strict=True)
            if row[COUNT]  # categoricals have no statistics
        }

    def __repr__(self) -> str:
        epoch, number = self.version
        size = len(self._snapshot.frame.keys)
        return f"<Model {self.job} version {epoch}.{number}, {size} features>"
