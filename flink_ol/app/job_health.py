"""What is wrong with a running job although it runs, out of Flink's REST interface."""

from __future__ import annotations

from typing import Any, NamedTuple

from flink_ol.app.flink_rest import FlinkRest, Job

# hundreds of the usual intervals between two weights frames; large frames rest for longer
SILENT_MS = 10_000

_LOST = "failedCommittables"  # what Flink's counter numCommittablesFailure is called there
_SILENCE = "feedback_silence_ms"
_SPOILT = "spoilt_updates"
_REST = "frame_rest_ms"  # how long weights.bytes_per_s makes the next weights frame wait


class Health(NamedTuple):
    """A job of the cluster and what someone should look at."""

    job: Job
    restarts: int
    alerts: list[str]

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.job.name,
            "job_id": self.job.id,
            "state": self.job.state,
            "restarts": self.restarts,
            "alerts": self.alerts,
        }


def health(cluster: FlinkRest, job: Job, silent_ms: int = SILENT_MS) -> Health:
    """Raises FailureError where the cluster does not answer."""
    alerts = []
    if job.state != "RUNNING":
        reason = cluster.last_exception(job.id)
        alerts.append(f"it is {job.state}" + (f": {reason}" if reason else ""))
    alerts += _of_checkpoints(cluster.checkpoints(job.id))
    told = cluster.worst_metrics(job.id, (_LOST, _SILENCE, _SPOILT, _REST))
    if lost := told.get(_LOST, 0):
        alerts.append(
            f"{lost:.0f} transactions were lost: snapshots, or outputs that are exactly once, of "
            "that time will not be seen; the model itself lost nothing. Was the job away for "
            "longer than delivery.transaction_timeout_ms?"
        )
    if told.get(_SILENCE, 0) > silent_ms + 2 * told.get(_REST, 0):
        alerts.append(
            f"a trainer has had no weights for {told[_SILENCE] / 1000:.0f} s while it learns: "
            "is the weights topic there, and can it be written and read?"
        )
    if spoilt := told.get(_SPOILT, 0):
        alerts.append(
            f"{spoilt:.0f} updates with numbers that are not finite were kept out of the model"
        )
    return Health(job, cluster.restarts(job.id), alerts)


def _of_checkpoints(told: dict[str, Any]) -> list[str]:
    latest = told.get("latest", {})
    failed, completed = latest.get("failed"), latest.get("completed")
    if not failed or (completed and completed["id"] > failed["id"]):
        return []
    reason = failed.get("failure_message") or "no reason known"
    return [f"the last checkpoint failed: {reason}"]
