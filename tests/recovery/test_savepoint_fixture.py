"""Savepoints of earlier versions of the states, committed, are restored on a real cluster."""

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


@pytest.mark.parametrize("packed", SAVEPOINTS, ids=lambda path: path.name)
def test_a_savepoint_of_an_earlier_version_goes_on(
    stack: Stack, tmp_path: Path, packed: Path
) -> None:
    place = tmp_path / "savepoint"
    with tarfile.open(packed) as archive:
        archive.extractall(place, filter="data")
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


def test_there_is_a_savepoint_to_restore() -> None:
    assert SAVEPOINTS
