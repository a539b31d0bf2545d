"""Judges the model of an exercise by samples that it never learned from.

python -m jobs.exercises.held_out iris model.safetensors
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from flink_ol.client import Model
from jobs.exercises.streams import EXERCISES, Sample


def judge(model: Model, samples: list[Sample]) -> dict[str, float]:
    """accuracy, or rmse and r2."""
    rows = [sample["x"] for sample in samples]
    labels = np.array([sample["y"] for sample in samples])
    # lists are columns "0", "1", ...; mappings have names
    answers = model.predict(rows if isinstance(rows[0], dict) else np.array(rows))
    if model.learning.task != "regression":
        return {"accuracy": float((answers == labels).mean())}
    errors = answers - labels
    rmse = float(np.sqrt((errors * errors).mean()))
    return {"rmse": rmse, "r2": 1.0 - rmse**2 / float(labels.var())}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m jobs.exercises.held_out")
    parser.add_argument("exercise", choices=EXERCISES)
    parser.add_argument("model", type=Path, help="a model file")
    arguments = parser.parse_args()
    samples = EXERCISES[arguments.exercise]().held_out
    figures = judge(Model.load(arguments.model), samples)
    print(f"{len(samples)} held out:", *(f"{name} {value:.4f}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
