"""The few requests to a Flink cluster's REST interface that the commands need."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, NamedTuple

from flink_ol.app.errors import FailureError

_TIMEOUT_S = 10.0
_POLL_S = 0.2
RUNNING_STATES = frozenset(
    {"INITIALIZING", "CREATED", "RUNNING", "FAILING", "RESTARTING", "RECONCILING", "CANCELLING"}
)


class Job(NamedTuple):
    """One job of the cluster."""

    id: str
    name: str
    state: str
    start_ms: int

    @property
    def alive(self) -> bool:
        """Whether it runs or will run again by itself."""
        return self.state in RUNNING_STATES


class FlinkRest:
    """A cluster by the address of its REST interface, ``http://host:port``."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def jobs(self) -> list[Job]:
        """All jobs that the cluster remembers, newest first."""
        found = [
            Job(job["jid"], job["name"], job["state"], job["start-time"])
            for job in self._get("/jobs/overview")["jobs"]
        ]
        return sorted(found, key=lambda job: -job.start_ms)

    def alive(self, name: str) -> Job | None:
        """The job of this name that runs, if there is one."""
        return next((job for job in self.jobs() if job.name == name and job.alive), None)

    def overview(self) -> dict[str, Any]:
        """Task managers, slots and job counts."""
        return self._get("/overview")

    def task_heaps(self) -> list[int]:
        """Bytes of heap for tasks of each TaskManager; of those that do not tell, their JVM's."""
        found = []
        for one in self._get("/taskmanagers")["taskmanagers"]:
            size = (one.get("memoryConfiguration") or {}).get("taskHeap")
            size = size or (one.get("hardware") or {}).get("freeMemory")  # the most it can be
            found += [int(size)] if size else []
        return found

    def checkpoints(self, job_id: str) -> dict[str, Any]:
        """Counts and the latest checkpoints."""
        return self._get(f"/jobs/{job_id}/checkpoints")

    def recovery_points(self, name: str) -> list[tuple[int, str]]:
        """(time of the trigger in milliseconds, path) of what jobs of this name last completed."""
        found = []
        for job in self.jobs():
            if job.name != name:
                continue
            try:
                latest = self.checkpoints(job.id)["latest"]
            except FailureError:
                continue  # it ended before there was anything to keep
            for kind in ("completed", "savepoint"):
                point = latest.get(kind)
                if point and point.get("external_path") and not point.get("discarded"):
                    found.append((int(point["trigger_timestamp"]), str(point["external_path"])))
        return found

    def cancel(self, job_id: str) -> None:
        """Ask the job to end without a savepoint; its last checkpoint stays."""
        self._request(f"/jobs/{job_id}?mode=cancel", None, "PATCH")

    def slots_of(self, job_id: str) -> int:
        """How many slots the job takes: the parallelism of its widest task."""
        vertices = self._get(f"/jobs/{job_id}")["vertices"]
        return max(int(vertex["parallelism"]) for vertex in vertices)

    def restarts(self, job_id: str) -> int:
        """How often the job was restarted after a failure.

        By the attempts of a task, since all tasks restart together: Flink's metric of it may be
        10 s old.
        """
        vertex = self._get(f"/jobs/{job_id}")["vertices"][0]["id"]
        subtasks = self._get(f"/jobs/{job_id}/vertices/{vertex}")["subtasks"]
        return max(int(subtask["attempt"]) for subtask in subtasks)

    def worst_metrics(self, job_id: str, names: tuple[str, ...]) -> dict[str, float]:
        """By name, the largest value among all operators and subtasks; those that are told."""
        worst: dict[str, float] = {}
        for vertex in self._get(f"/jobs/{job_id}")["vertices"]:
            path = f"/jobs/{job_id}/vertices/{vertex['id']}/subtasks/metrics"
            known = [metric["id"] for metric in self._get(path)]
            wanted = [one for one in known if one.rpartition(".")[2] in names]
            if not wanted:
                continue
            asked = urllib.parse.quote(",".join(wanted), safe=",")
            for metric in self._get(f"{path}?get={asked}&agg=max"):
                name = metric["id"].rpartition(".")[2]
                worst[name] = max(worst.get(name, 0.0), float(metric["max"]))
        return worst

    def last_exception(self, job_id: str) -> str | None:
        """The first line of the newest failure's cause, if there was a failure."""
        traces = self.failures(job_id)
        return root_cause(traces[0]) if traces else None

    def failures(self, job_id: str) -> list[str]:
        """Stack traces of the failures that Flink keeps, the newest first."""
        entries = self._get(f"/jobs/{job_id}/exceptions")["exceptionHistory"]["entries"]
        return [str(entry["stacktrace"]) for entry in entries]

    def stop_with_savepoint(self, job_id: str, directory: str | None, timeout_s: float) -> str:
        """Take a savepoint and stop; the savepoint's path. No directory: the cluster's own.

        Raises :class:`FailureError` when the savepoint fails or takes longer than ``timeout_s``.
        """
        body: dict[str, Any] = {"drain": False}
        if directory is not None:
            body["targetDirectory"] = directory
        trigger = self._request(f"/jobs/{job_id}/stop", body)["request-id"]
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            answer = self._get(f"/jobs/{job_id}/savepoints/{trigger}")
            if answer["status"]["id"] == "COMPLETED":
                cause = answer["operation"].get("failure-cause")
                if cause:
                    raise FailureError(
                        f"the savepoint failed: {root_cause(cause['stack-trace'])}; "
                        f"the job runs on, see {self.url}/#/job/{job_id}/checkpoints"
                    )
                return str(answer["operation"]["location"])
            time.sleep(_POLL_S)
        raise FailureError(
            f"no savepoint after {timeout_s:g} s: look at {self.url}/#/job/{job_id}/checkpoints, "
            "or give more time with --timeout"
        )

    def wait_for(self, job_id: str, state: str, timeout_s: float) -> None:
        """Return when the job has reached ``state``; :class:`FailureError` when it ends first."""
        deadline = time.monotonic() + timeout_s
        while True:
            now = str(self._get(f"/jobs/{job_id}")["state"])
            if now == state:
                return
            if now in {"FAILED", "CANCELED", "FINISHED", "SUSPENDED"}:
                raise FailureError(
                    f"the job is {now}: {self.last_exception(job_id) or 'no reason known'}"
                )
            if time.monotonic() > deadline:
                raise FailureError(
                    f"the job is still {now} after {timeout_s:g} s: "
                    f"look at {self.url}/#/job/{job_id}/overview"
                )
            time.sleep(_POLL_S)

    def wait_until_running(self, job_id: str, timeout_s: float) -> None:
        """Return when every task of the job runs, its Python workers included."""
        deadline = time.monotonic() + timeout_s
        self.wait_for(job_id, "RUNNING", timeout_s)
        while True:
            vertices = self._get(f"/jobs/{job_id}")["vertices"]
            waiting = [v["name"] for v in vertices if v["status"] != "RUNNING"]
            if not waiting:
                return
            if time.monotonic() > deadline:
                raise FailureError(
                    f"after {timeout_s:g} s these tasks do not run: {'; '.join(waiting)}; "
                    f"reason: {self.last_exception(job_id) or 'none known, perhaps too few slots'}"
                )
            time.sleep(_POLL_S)

    def _get(self, path: str) -> Any:
        return self._request(path, None)

    def _request(self, path: str, body: dict[str, Any] | None, method: str | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path,
            data,
            {"Content-Type": "application/json"} if data else {},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise FailureError(f"{self.url}{path} answers {error.code}: {_said(error)}") from error
        except (OSError, ValueError) as error:
            raise FailureError(
                f"no Flink cluster answers at {self.url} ({error}): "
                "start one with `flink-ol up`, or name yours with --rest-url"
            ) from error


def root_cause(stack_trace: str) -> str:
    """The innermost cause in a Java or Python stack trace, as one line."""
    lines = [line.strip() for line in stack_trace.splitlines()]
    causes = [line for line in lines if line and not line.startswith(("at ", "... "))]
    named = [line for line in causes if line.startswith("Caused by:")]
    return (named[-1].removeprefix("Caused by:") if named else causes[0] if causes else "").strip()


def _said(error: urllib.error.HTTPError) -> str:
    try:
        said = json.load(error)["errors"]
    except (ValueError, KeyError, OSError):
        return error.reason
    return root_cause(str(said[-1])) if said else error.reason
