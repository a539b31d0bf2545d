"""The worked example of docs/extending.md, followed to the letter in a copy of the package."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import flink_ol

PACKAGE = Path(flink_ol.__file__).parent
PAGE = PACKAGE.parent / "docs" / "extending.md"

LEARNS = """
import numpy as np
from flink_ol.core import losses
from flink_ol.core.config import Learning, Sgd
from flink_ol.core.evaluation import metrics
from flink_ol.core.learner import Learner
from flink_ol.core.samples import Samples
from flink_ol.job.spec import Spec

spec = Spec.parse("{name: a, task: regression, loss: {name: log_cosh}}")
loss = spec.learning.chosen_loss
for error in (-30.0, -1.0, 0.3, 4.0):
    ahead, behind = (loss.value(np.array([[error + h]]), np.zeros(1))[0] for h in (1e-6, -1e-6))
    slope = losses.gradient(loss.code, loss.parameters, error, 0.0)
    assert abs((ahead - behind) / 2e-6 - slope) < 1e-8, error
rng = np.random.default_rng(1)
n = 4000
x = rng.normal(size=(n, 2))
samples = Samples(
    np.arange(n + 1) * 2, np.tile(np.array([3, 4]), n), x.ravel(), np.ones(2 * n, bool),
    x @ [2.0, -1.0], np.ones(n), np.arange(n), {3: "a", 4: "b"},
)
learner = Learner(Learning(task="regression", loss=loss_section, optimizer=Sgd(learning_rate=0.05)))
state = learner.initial()
learner.mark(state, samples)
figures = metrics(learner.learn(state, samples, float("nan"), 1.0), learner.learning)
assert figures["r2"] > 0.9, figures
print("learned")
""".replace("loss_section", "spec.loss")


def test_the_worked_example_of_a_new_loss_works(tmp_path: Path) -> None:
    copy = tmp_path / "flink_ol"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    page = PAGE.read_text()
    named = re.findall(r"`flink_ol/(core/losses/\w+\.py)`[^`]*```python\n(.*?)```", page, re.DOTALL)
    assert len(named) == 1
    (copy / named[0][0]).write_text(named[0][1])
    registry = copy / "core" / "losses" / "__init__.py"
    text = registry.read_text()
    changes = re.findall(r"```diff\n(.*?)```", page, re.DOTALL)
    assert len(changes) == 3
    for change in changes:
        lines = change.splitlines()
        before = "\n".join(line[1:] for line in lines if not line.startswith("+"))
        assert text.count(before) == 1, before
        text = text.replace(before, "\n".join(line[1:] for line in lines))
    registry.write_text(text)
    answer = subprocess.run(
        [sys.executable, "-c", LEARNS],
        env={**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert answer.stdout == "learned\n"
