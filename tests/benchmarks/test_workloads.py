"""The streams of the benchmarks: seeded, learnable, and the same in every format."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

from benchmarks import streams, workloads
from benchmarks.encodings import json_records, vw_records
from benchmarks.streams import Block
from benchmarks.workloads import WORKLOADS
from flink_ol.core.learner import Learner
from flink_ol.core.samples import Samples
from flink_ol.job.spec import Spec
from flink_ol.wire.formats import sample_format

SEEDED = [name for name in WORKLOADS if name != "flights"]  # that is a data set, read as a whole
IN_VW = [name for name in SEEDED if "vw" in WORKLOADS[name].formats]
CONTESTS = [(name, encoding) for name in SEEDED for encoding in WORKLOADS[name].formats]
FEW = 1000
reading: Any = importlib.import_module("benchmarks.programs.reading")  # of another environment


def _spec(name: str, encoding: str) -> Spec:
    fields = {"name": "job", "samples": {"format": encoding}, **WORKLOADS[name].spec}
    return Spec.model_validate(fields)


def _decoded(name: str, encoding: str) -> Samples:
    spec = _spec(name, encoding)
    decoder = sample_format(encoding, spec.samples.fields, spec.learning)
    records = workloads.records(name, encoding, FEW)
    samples, rejections = decoder.decode(records, np.arange(len(records), dtype=np.int64))
    assert rejections == []
    return samples


@pytest.mark.parametrize(("name", "encoding"), CONTESTS)
def test_every_record_is_a_sample_of_its_format(name: str, encoding: str) -> None:
    assert len(_decoded(name, encoding)) == FEW


@pytest.mark.parametrize("name", SEEDED)
def test_a_stream_is_the_same_every_time(name: str) -> None:
    first, again = workloads.records(name, "json", FEW), workloads.records(name, "json", 2 * FEW)
    assert first == again[:FEW]
    assert len(set(again)) == 2 * FEW


@pytest.mark.parametrize("name", IN_VW)
def test_vw_text_says_what_json_says(name: str) -> None:
    json_samples, vw_samples = _decoded(name, "json"), _decoded(name, "vw")
    np.testing.assert_array_equal(json_samples.labels, vw_samples.labels)
    np.testing.assert_array_equal(json_samples.indptr, vw_samples.indptr)
    np.testing.assert_array_equal(json_samples.values, vw_samples.values)
    np.testing.assert_array_equal(json_samples.keys, vw_samples.keys)


@pytest.mark.parametrize("name", IN_VW)
def test_contestants_read_the_same_from_both_formats(name: str) -> None:
    as_json = map(reading.reader("json"), workloads.records(name, "json", FEW))
    as_vw = map(reading.reader("vw"), workloads.records(name, "vw", FEW))
    for (ours, label), (theirs, their_label) in zip(as_json, as_vw, strict=True):
        assert int(label) == their_label
        assert ours == theirs


@pytest.mark.parametrize("name", SEEDED)
def test_arrow_says_what_json_says(name: str) -> None:
    as_json, as_arrow = _decoded(name, "json"), _decoded(name, "arrow")
    np.testing.assert_array_equal(as_json.labels, as_arrow.labels)
    np.testing.assert_array_equal(as_json.indptr, as_arrow.indptr)
    np.testing.assert_array_equal(as_json.keys, as_arrow.keys)
    np.testing.assert_array_equal(as_json.values.astype(np.float32), as_arrow.values)


def test_fainter_pictures_stand_under_the_same_noise() -> None:
    means = {}
    for contrast in (1.0, 0.25):
        block = next(streams.images(contrast=contrast))
        assert block.x is not None
        means[contrast] = np.array([block.x[block.y == y].mean(axis=0) for y in range(10)]) - 128
        assert 40 < (block.x[block.y == 0] - means[contrast][0] - 128).std() < 48
    slope = np.vdot(means[0.25], means[1.0]) / np.vdot(means[1.0], means[1.0])
    assert 0.2 < slope < 0.4  # the noise that both have adds to it


def test_numbers_and_categories_are_the_same_in_both_formats() -> None:
    block = Block((), None, False, np.array([1, 0]), [{"dest": "BOS", "delay": -2.5}, {"hour": 3}])
    assert json_records(block)[0] == b'{"x":{"dest":"BOS","delay":-2.5},"y":1}'
    assert vw_records(block) == [b"1 | dest=BOS delay:-2.5", b"-1 | hour:3"]
    as_json = [*map(reading.reader("json"), json_records(block))]
    assert as_json == [*map(reading.reader("vw"), vw_records(block))]


@pytest.mark.parametrize("name", IN_VW)
def test_a_stream_can_be_learned(name: str) -> None:
    spec = _spec(name, "json")
    decoder = sample_format("json", spec.samples.fields, spec.learning)
    records = workloads.records(name, "json", 10_000)
    learner = Learner(spec.learning)
    state = learner.initial()
    losses, labels = [], []
    for start in range(0, len(records), 1000):
        part = records[start : start + 1000]
        samples, _ = decoder.decode(part, np.arange(start, start + 1000, dtype=np.int64))
        p = learner.predict(learner.scores(state, samples))[:, 1]
        chosen = np.where(samples.labels == 1, p, 1 - p)
        losses.append(-np.log(chosen).mean())
        labels.append(samples.labels.mean())
        learner.mark(state, samples)
        learner.learn(state, samples, np.nan, 1.0)
    rate = float(np.mean(labels))
    guessing = -rate * np.log(rate) - (1 - rate) * np.log(1 - rate)
    assert np.mean(losses[-5:]) < guessing - 0.02
