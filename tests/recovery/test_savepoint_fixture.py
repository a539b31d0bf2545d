"""Savepoints of earlier versions, committed: restored on a real cluster, or refused in words."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from flink_ol.job import origin
from flink_ol.local.stack import Stack
from tests.plain_loop import assert_same_model, plain_loop
from tests.recovery.make_savepoint import FIRST, NAME, RECORDS, SECTIONS
from tests.running_job import RunningJob, ledger_of

pytestmark = pytest.mark.recovery

SAVEPOINTS = sorted(Path(__file__).parent.glob("savepoint-*.tar.gz"))
REFUSED = sorted(Path(__file__).parent.glob("refused-*.tar.gz"))


@pytest.mark.parametrize("packed", SAVEPOINTS, ids=lambda path: path.name)
def test_a_savepoint_of_an_earlier_version_goes_on(
    stack: Stack, tmp_path: Path, packed: Path
) -> None:
    place = unpacked(packed, tmp_path)
    job = RunningJob(stack, tmp_path, NAME, **SECTIONS)
    before = origin.read(place)
    assert before is not None
    assert origin.compared(before, job.spec) == ([], [])
    # the topics of its time are gone with their broker: put the same records back
    job.feed(RECORDS[:FIRST])
    job.submit("--fromSavepoint", place.as_uri())
    job.feed(RECORDS[FIRST:])
    snapshot = job.await_samples(len(RECORDS))
    assert ledger_of(snapshot) == job.expected_ledger()
    assert_same_model(snapshot, plain_loop(job.spec, RECORDS)[0])
    assert job.restarts() == 0


@pytest.mark.parametrize("packed", REFUSED, ids=lambda path: path.name)
def test_a_savepoint_that_cannot_go_on_is_refused_with_what_to_do(
    tmp_path: Path, packed: Path
) -> None:
    with pytest.raises(origin.OriginError, match=r"begin a new job with model\.start_from"):
        origin.read(unpacked(packed, tmp_path))


def test_there_are_savepoints_of_both_kinds() -> None:
    assert SAVEPOINTS
    assert REFUSED


def unpacked(packed: Path, folder: Path) -> Path:
    place = folder / "savepoint"
    with tarfile.open(packed) as archive:
        archive.extractall(place, filter="data")
    return place
