"""What the commands read out of Flink's REST interface, against a server with prepared answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from flink_ol.app.errors import FailureError
from flink_ol.app.flink_rest import FlinkRest, root_cause

Answers = dict[str, list[Any]]  # path -> answers, the last one repeated


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        left = self.server.answers.get(self.path)  # type: ignore[attr-defined]
        if not left:
            body, code = {"errors": ["Job not found.", "x.NotFound: Job not found.\n\tat a"]}, 404
        else:
            body, code = (left.pop(0) if len(left) > 1 else left[0]), 200
        self.send_response(code)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.server.posted.append(json.loads(self.rfile.read(length)))  # type: ignore[attr-defined]
        self.do_GET()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Any]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.answers, server.posted = {}, []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def _rest(server: Any, answers: Answers) -> FlinkRest:
    server.answers.update(answers)
    return FlinkRest(f"http://127.0.0.1:{server.server_address[1]}/")


def _job(name: str, state: str, start_ms: int) -> dict[str, Any]:
    return {"jid": f"id{start_ms}", "name": name, "state": state, "start-time": start_ms}


def test_the_job_that_runs_is_found_among_ended_ones_of_its_name(server: Any) -> None:
    jobs = [_job("a", "FINISHED", 3), _job("a", "RESTARTING", 2), _job("b", "RUNNING", 4)]
    rest = _rest(server, {"/jobs/overview": [{"jobs": jobs}]})
    running = rest.alive("a")
    assert running is not None
    assert running.id == "id2"
    assert rest.alive("c") is None


def test_stop_waits_for_the_savepoint_and_says_where_it_is(server: Any) -> None:
    done = {"status": {"id": "COMPLETED"}, "operation": {"location": "file:/s/1"}}
    rest = _rest(
        server,
        {
            "/jobs/j/stop": [{"request-id": "r"}],
            "/jobs/j/savepoints/r": [{"status": {"id": "IN_PROGRESS"}}, done],
        },
    )
    assert rest.stop_with_savepoint("j", "file:/s", timeout_s=5) == "file:/s/1"
    assert server.posted == [{"targetDirectory": "file:/s", "drain": False}]


def test_a_failed_savepoint_is_told_with_its_cause(server: Any) -> None:
    trace = "java.X: outer\n\tat a.b(C.java:1)\nCaused by: java.io.IOException: disk full\n\tat c"
    failed = {"status": {"id": "COMPLETED"}, "operation": {"failure-cause": {"stack-trace": trace}}}
    rest = _rest(
        server,
        {"/jobs/j/stop": [{"request-id": "r"}], "/jobs/j/savepoints/r": [failed]},
    )
    with pytest.raises(FailureError, match=r"java\.io\.IOException: disk full; the job runs on"):
        rest.stop_with_savepoint("j", None, timeout_s=5)
    assert server.posted == [{"drain": False}]


def test_a_job_that_ends_while_waited_for_is_told_with_its_reason(server: Any) -> None:
    history = {"exceptionHistory": {"entries": [{"stacktrace": "x.Y: no broker\n\tat a"}]}}
    rest = _rest(server, {"/jobs/j": [{"state": "FAILED"}], "/jobs/j/exceptions": [history]})
    with pytest.raises(FailureError, match=r"the job is FAILED: x\.Y: no broker"):
        rest.wait_for("j", "RUNNING", timeout_s=5)


def test_waiting_ends_with_the_names_of_the_tasks_that_do_not_run(server: Any) -> None:
    vertices = [{"name": "trainer", "status": "SCHEDULED"}, {"name": "m", "status": "RUNNING"}]
    rest = _rest(
        server,
        {
            "/jobs/j": [{"state": "RUNNING", "vertices": vertices}],
            "/jobs/j/exceptions": [{"exceptionHistory": {"entries": []}}],
        },
    )
    with pytest.raises(FailureError, match="these tasks do not run: trainer"):
        rest.wait_until_running("j", timeout_s=0.3)


def test_errors_name_the_address_and_the_remedy(server: Any) -> None:
    rest = _rest(server, {})
    with pytest.raises(FailureError, match=r"/jobs/j answers 404: x\.NotFound: Job not found\."):
        rest.wait_for("j", "RUNNING", timeout_s=1)
    with pytest.raises(FailureError, match=r"no Flink cluster answers at http://127\.0\.0\.1:1 "):
        FlinkRest("http://127.0.0.1:1").jobs()


def test_what_jobs_of_a_name_last_completed_is_found_and_jobs_without_any_passed_over(
    server: Any,
) -> None:
    jobs = [_job("a", "FINISHED", 3), _job("a", "FAILED", 2), _job("b", "RUNNING", 4)]
    point = {"trigger_timestamp": 7, "external_path": "s3://b/chk-1", "discarded": False}
    latest = {"completed": point, "savepoint": None}
    rest = _rest(
        server,
        {"/jobs/overview": [{"jobs": jobs}], "/jobs/id3/checkpoints": [{"latest": latest}]},
    )
    assert rest.recovery_points("a") == [(7, "s3://b/chk-1")]


def test_heaps_are_those_for_tasks_where_they_are_told(server: Any) -> None:
    told = [
        {"id": "tm-1", "memoryConfiguration": {"taskHeap": 448 << 20}, "hardware": {}},
        {"id": "tm-2", "memoryConfiguration": {"taskHeap": None}, "hardware": {"freeMemory": 7}},
        {"id": "tm-3"},
    ]
    assert _rest(server, {"/taskmanagers": [{"taskmanagers": told}]}).task_heaps() == [448 << 20, 7]


def test_root_cause_is_one_line_even_of_nothing() -> None:
    assert root_cause("") == ""
    assert (
        root_cause("E: one\n  at x\nCaused by: F: two\n  at y\nCaused by: G: three") == "G: three"
    )
