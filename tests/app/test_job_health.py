"""What `flink-ol status` finds wrong with a job that runs."""

from __future__ import annotations

from typing import Any

import pytest

from flink_ol.app.flink_rest import FlinkRest, Job
from flink_ol.app.job_health import health
from flink_ol.operators.silence import Silence

JOB = Job("j", "clicks", "RUNNING", 1)
METRICS = {
    "v1": {"trainer.feedback_silence_ms": 0.0, "trainer.pending_updates": 3.0},
    "v2": {"sink_snapshots__Committer.failedCommittables": 0.0, "numRecordsIn": 7.0},
    "v3": {"sequencer.spoilt_updates": 0.0},
}


class Prepared(FlinkRest):
    """Answers as a cluster with these metrics and checkpoints would."""

    def __init__(self, metrics: dict[str, dict[str, float]], latest: dict[str, Any]) -> None:
        super().__init__("http://127.0.0.1:1")
        self.metrics, self.latest = metrics, latest

    def _get(self, path: str) -> Any:
        asked, _, query = path.partition("?")
        if asked == "/jobs/j":
            return {"vertices": [{"id": name} for name in self.metrics]}
        if asked == "/jobs/j/checkpoints":
            return {"latest": self.latest}
        if asked == "/jobs/j/vertices/v1":
            return {"subtasks": [{"attempt": 2}, {"attempt": 2}]}
        if asked == "/jobs/j/exceptions":
            trace = "x.Y: outer\nCaused by: no broker"
            return {"exceptionHistory": {"entries": [{"stacktrace": trace}]}}
        values = self.metrics[asked.split("/")[4]]
        if not query:
            return [{"id": name} for name in values]
        wanted = query.removeprefix("get=").removesuffix("&agg=max").split(",")
        return [{"id": name, "max": values[name]} for name in wanted]


def test_a_healthy_job_has_no_alerts() -> None:
    latest = {"failed": {"id": 3, "failure_message": "slow"}, "completed": {"id": 4}}
    found = health(Prepared(METRICS, latest), JOB)
    assert (found.restarts, found.alerts) == (2, [])


@pytest.mark.parametrize(
    ("vertex", "metric", "value", "said"),
    [
        ("v1", "trainer.feedback_silence_ms", 12_345.0, "no weights for 12 s while it learns"),
        ("v2", "sink_snapshots__Committer.failedCommittables", 2.0, "2 transactions were lost"),
        ("v3", "sequencer.spoilt_updates", 1.0, "1 updates with numbers that are not finite"),
    ],
)
def test_each_fault_is_told_by_what_flink_counts(
    vertex: str, metric: str, value: float, said: str
) -> None:
    metrics = {**METRICS, vertex: {**METRICS[vertex], metric: value}}
    (alert,) = health(Prepared(metrics, {}), JOB).alerts
    assert said in alert


@pytest.mark.parametrize(("rest_ms", "alerts"), [(0.0, 1), (1_000.0, 1), (2_000.0, 0)])
def test_silence_is_no_fault_while_large_frames_rest(rest_ms: float, alerts: int) -> None:
    metrics = {
        **METRICS,
        "v1": {"trainer.feedback_silence_ms": 13_000.0},
        "v3": {**METRICS["v3"], "sequencer.frame_rest_ms": rest_ms},
    }
    assert len(health(Prepared(metrics, {}), JOB).alerts) == alerts


def test_failed_checkpoints_and_restarts_are_told_with_their_reason() -> None:
    latest = {"failed": {"id": 5, "failure_message": "disk full"}, "completed": {"id": 4}}
    state, checkpoint = health(Prepared(METRICS, latest), JOB._replace(state="RESTARTING")).alerts
    assert state == "it is RESTARTING: no broker"
    assert checkpoint == "the last checkpoint failed: disk full"


def test_silence_counts_only_while_an_update_waits_for_its_frame() -> None:
    now = [1_000]
    silence = Silence(lambda: now[0])
    now[0] += 60_000
    assert silence.ms == 0  # nothing was sent: a quiet stream is no silence
    silence.sent()
    now[0] += 500
    silence.sent()
    assert silence.ms == 500
    silence.heard(waits=True)
    now[0] += 200
    assert silence.ms == 200
    silence.heard(waits=False)
    now[0] += 5_000
    assert silence.ms == 0
