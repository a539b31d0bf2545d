"""The learner: what every part of the system does to a state, whatever the settings.

Stateless itself; a state is worth nothing without the learner of the same settings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from flink_ol.core import mark as marks
from flink_ol.core.compiled import plain
from flink_ol.core.config import Learning
from flink_ol.core.distinct import distinct
from flink_ol.core.evaluation import Evaluation, Judge, Sums
from flink_ol.core.families import FAMILIES
from flink_ol.core.families.linear_loops import Rows
from flink_ol.core.families.setting import Setting
from flink_ol.core.features import admission
from flink_ol.core.features.appending import with_counted
from flink_ol.core.features.preparation import Entries, Preparation
from flink_ol.core.gradients import divided_sum, feature_statistics
from flink_ol.core.mark import Mark
from flink_ol.core.optimizers import Sgd
from flink_ol.core.samples import Counted, Samples
from flink_ol.core.slot_set import SlotSet
from flink_ol.core.start import Start
from flink_ol.core.state import ArraySpec, Delta, State
from flink_ol.core.tuning import Overrides, fitting, tuned
from flink_ol.core.unadmitted import Counts

_PLAIN = Evaluation()


class Learner:
    """Scores, learns, and speaks of what was learned as differences."""

    def __init__(
        self, learning: Learning, evaluation: Evaluation = _PLAIN, start: Start | None = None
    ) -> None:
        """``start``: what :meth:`initial` is, already checked; None: zeros or as drawn."""
        self.learning, self.evaluation, self.start = learning, evaluation, start
        self._judge = Judge(learning, evaluation)
        self.outputs = learning.outputs
        self._loss = learning.chosen_loss
        features = learning.features
        self._admission = features.admission
        self._preparation = Preparation(features.scale, features.missing)
        setting = Setting(
            self._loss,
            learning.optimizer.kind(),
            self.outputs,
            features.scale == "standard",
            features.intercept,
            learning.seed,
            features.hash_bits,
        )
        self._family = FAMILIES[type(learning.model)](learning.model, setting)
        plain = FAMILIES[type(learning.model)](
            learning.model, setting._replace(optimizer=Sgd().kind())
        )
        # the arrays that gradients are of, whatever the optimizer keeps beside them
        self.parameters = frozenset(spec.name for spec in plain.specs if spec.merge == "mean")
        specs = list(self._family.specs)
        specs += self._preparation.specs
        specs.append(ArraySpec("steps", (1,), "sum", per_feature=False, dtype="int64"))
        # class counts, or count and sum of the targets
        baseline = (learning.class_count or 2,)
        specs.append(ArraySpec("baseline", baseline, "sum", per_feature=False))
        self.specs: tuple[ArraySpec, ...] = tuple(specs)
        self._tuned: tuple[dict[str, Any], Learner] = {}, self  # the last that was asked for

    def tuned(self, overrides: Overrides) -> Learner:
        """The learner with ``overrides`` of its settings; itself without any.

        What was set of a specification before this one, and this one has not, is left out.
        """
        if not overrides:
            return self
        if self._tuned[0] != overrides:
            learning = tuned(self.learning, fitting(self.learning, overrides))
            self._tuned = dict(overrides), Learner(learning, self.evaluation)
        return self._tuned[1]

    def take_over(self, state: State) -> None:
        """Go on with a state of a twin with other settings: all that follows from settings does."""
        state.respecify(self.specs)
        slots = np.arange(state.vocabulary.size, dtype=np.int64)
        self._family.derive(state.arrays, slots)

    def initial(self) -> State:
        """The model before any sample of this job."""
        if self.start is None:
            return State(self.specs)
        state = self.start.state(self.specs)
        self.take_over(state)
        return state

    def filled(self, state: State, samples: Samples, learns: bool = True) -> Samples:
        """``samples`` with the numbers they lack, by features.missing.

        ``learns``: to learn from, so new keys get their slots, those that have to wait for them
        are left out, and a sample's features are known to those after it.
        """
        if learns:
            samples = self.admitted(state, samples)
        filled = self._preparation.filled(state, samples, learns)
        return with_counted(filled, samples.counted)

    def admitted(self, state: State, samples: Samples, among: SlotSet | None = None) -> Samples:
        """``samples`` without the features that have to wait for their weights.

        ``samples.counted`` is what :meth:`mark` then counts, and what differences and gradients
        carry. ``among``: of the features with slots only these have weights; None: all have.
        """
        if self._admission is None:
            return samples
        return admission.admitted(state, samples, self._admission, among)

    def mark(self, state: State, samples: Samples) -> Mark:
        """Give new keys their slots, count those that wait; copies of all that learning changes."""
        keys, ranks = distinct(samples.keys)
        touched = state.slots(keys)
        arrays = state.values(touched).arrays
        if samples.counted is not None:
            admission.count(state, samples.counted)
        return Mark(touched, ranks, arrays, samples.counted)

    def learn(
        self,
        state: State,
        samples: Samples,
        previous: float,
        rate_scale: float,
        mark: Mark | None = None,
    ) -> Sums:
        """Score every sample, then learn from it, in place: the prequential sums.

        ``previous``: label before the first sample in its partition, nan if there is none.
        ``rate_scale``: factor of the learning rates of optimizers that scale with the workers.
        ``mark``: of the same samples and as the state is, if there is one: it knows their slots.
        """
        if mark is None:
            slots = state.slots(plain(samples.keys, np.int64))
        else:
            slots = mark.slots[mark.ranks]
        rows = _rows(samples, slots)
        entries = Entries(rows.slots, rows.values, rows.numeric)
        rows = rows._replace(values=self._preparation.learned(state, entries))
        scores = self._family.learn(state.arrays, rows, float(rate_scale))
        # a sample that leads out of the finite numbers shows in the sums and differences
        with np.errstate(all="ignore"):
            answers = self._loss.predict(scores)
            baseline = state.arrays["baseline"]
            return self._judge.sums(answers, _whole(samples), float(previous), baseline)

    def gradient(self, state: State, samples: Samples, previous: float) -> tuple[Delta, Sums]:
        """Gradients at ``state`` summed over ``samples``, with their statistics; prequential sums.

        Changes nothing, but gives new keys their slots. The gradients stand under the names of
        the parameters; what the optimizer keeps is left out. Numbers are standardised and placed
        by the statistics of ``state``, so ask :meth:`filled` not to learn here.
        """
        slots = state.slots(plain(samples.keys, np.int64))
        touched, ranks = distinct(slots)
        rows = _rows(samples, slots)
        values = self._preparation.scored(state, Entries(slots, rows.values, rows.numeric))
        prepared = rows._replace(values=values)
        scores, arrays = self._family.gradient(state.arrays, prepared, ranks, touched)
        baseline = state.arrays["baseline"].copy()
        with np.errstate(all="ignore"):
            arrays |= feature_statistics(self._preparation.specs, state, rows, touched, ranks)
            answers = self._loss.predict(scores)
            sums = self._judge.sums(answers, _whole(samples), float(previous), baseline)
            arrays["baseline"] = baseline - state.arrays["baseline"]
        arrays["steps"] = np.array([len(samples)], np.int64)
        return Delta(state.vocabulary.keys[touched], arrays, _met(samples.counted)), sums

    def step(
        self, state: State, gradients: Sequence[Delta], divisor: float, rate_scale: float
    ) -> np.ndarray:
        """One optimizer step along the sum of ``gradients`` over ``divisor``, in place.

        They are added up, and their statistics merged, in the order given. Without samples there
        is no step. Gives the touched slots (touched,) int64, in order of first appearance.
        """
        self._make_room(state)
        slots = [np.zeros(0, np.int64), *(state.slots(delta.keys) for delta in gradients)]
        touched, ranks = distinct(np.concatenate(slots))
        if not any(int(delta.arrays["steps"][0]) for delta in gradients):
            return touched
        parts = [delta.arrays for delta in gradients]
        places = np.split(ranks, np.cumsum([len(delta.keys) for delta in gradients])[:-1])
        own = {spec.name for spec in self._family.specs}
        with np.errstate(all="ignore"):
            sums = {
                spec.name: divided_sum(spec, parts, places, len(touched), float(divisor))
                for spec in self._family.specs
                if spec.name in parts[0]
            }
            self._family.step(state.arrays, touched, sums, float(rate_scale))
            for keys, arrays, waiting in gradients:
                statistics = {name: array for name, array in arrays.items() if name not in own}
                state.merge(Delta(keys, statistics, waiting), 1.0)
        return touched

    def difference(self, state: State, mark: Mark, samples: Samples) -> Delta:
        """What the samples changed since ``mark``, see core.mark; derived arrays are left out."""
        return marks.difference(self.specs, state, mark, samples)

    def put_back(self, state: State, mark: Mark, told: Mapping[str, np.ndarray]) -> None:
        """Of the arrays ``told``, let stand what is told of the difference since ``mark``."""
        marks.put_back(self.specs, state, mark, told)
        self._family.derive(state.arrays, mark.slots)

    def restore(self, state: State, mark: Mark) -> None:
        """Take back what was learned since ``mark``; new keys stay, as if never seen.

        Where features have to wait, new keys go: they would be known without having waited.
        """
        marks.take_back(self.specs, state, mark)
        if mark.counted is not None:
            admission.uncount(state, mark.counted)

    def merge(self, state: State, delta: Delta, factor: float) -> np.ndarray:
        """Fold ``delta`` into ``state``: the touched slots.

        ``factor`` is the weight of averaged differences.
        """
        self._make_room(state)
        with np.errstate(all="ignore"):
            slots = state.merge(delta, factor)
        self._family.derive(state.arrays, slots)
        return slots

    def assign(self, state: State, delta: Delta) -> None:
        """Set what ``delta`` holds, numbers and not differences, in place; count what waits."""
        self._make_room(state)
        state.assign(delta)
        state.count(delta)

    def _make_room(self, state: State) -> None:
        if self._admission is not None:
            state.waiting.forget(self._admission.waiting)

    def waiting(self, state: State) -> Counts | None:
        """The features that have no weights yet, copies; None where none has to wait."""
        return None if self._admission is None else state.waiting.content()

    def waiting_count(self, state: State) -> int | None:
        """How many these are."""
        return None if self._admission is None else state.waiting.size

    def scores(self, state: State, samples: Samples) -> np.ndarray:
        """Raw scores (samples, outputs); changes nothing, unknown features count as absent."""
        return self.scores_of_filled(state, self.filled(state, samples, False))

    def scores_of_filled(self, state: State, samples: Samples) -> np.ndarray:
        """The same of samples that need nothing put in."""
        rows = _rows(samples, state.vocabulary.find(plain(samples.keys, np.int64)))
        entries = Entries(rows.slots, rows.values, rows.numeric)
        rows = rows._replace(values=self._preparation.scored(state, entries))
        return self._family.score(state.arrays, rows)

    def predict(self, scores: np.ndarray) -> np.ndarray:
        """Probabilities (samples, classes), binary: negative first; regression: (samples,)."""
        return self._loss.predict(scores)


def finite(delta: Delta, sums: Sums) -> bool:
    """Whether every number that came of some samples is finite."""
    return delta.finite() and all(bool(np.isfinite(value).all()) for value in sums.values())


def _whole(samples: Samples) -> Samples:
    """With what was left out because it has to wait: an evaluation by values of fields sees it."""
    return samples if samples.counted is None else samples.counted.whole


def _met(counted: Counted | None) -> Counts | None:
    return None if counted is None else counted.waiting


def _rows(samples: Samples, slots: np.ndarray) -> Rows:
    return Rows(
        plain(samples.indptr, np.int64),
        slots,
        plain(samples.values, np.float64),
        plain(samples.numeric, np.bool_),
        plain(samples.labels, np.float64),
        plain(samples.importance, np.float64),
    )
