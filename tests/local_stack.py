"""The real stack as fixtures: one Kafka broker and one Flink cluster a session, started lazily.

`stack` is what a test asks for: the session's stack, with one living TaskManager at the start, and
the test's jobs cancelled and its added TaskManagers ended afterwards. A module that shares a
running job among its tests takes `session_stack` instead, and cleans up after itself.
"""

import json
import time
import urllib.request
from collections.abc import Callable, Iterator

import pytest
from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from flink_ol.local.stack import Stack

END_STATES = {"FINISHED", "CANCELED", "FAILED"}
SLOTS = 4


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        folder = item.path.parent.name
        if folder in ("integration", "recovery"):
            item.add_marker(getattr(pytest.mark, folder))


@pytest.fixture(scope="session")
def session_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack of the whole session; `down` at the end, also upon ctrl-C."""
    stack = Stack(tmp_path_factory.mktemp("stack"))
    try:
        stack.up(task_managers=1, slots=SLOTS)
        yield stack
    finally:
        stack.down()


@pytest.fixture
def stack(session_stack: Stack) -> Iterator[Stack]:
    """The session's stack, healed before the test and tidied after it."""
    if not session_stack.task_managers():
        session_stack.add_task_manager()
    yield session_stack
    status = session_stack.status()
    if not next(member.alive for member in status.members if member.name == "broker"):
        session_stack.restart_broker()
    cancel_jobs(status.rest_url)
    for extra in session_stack.task_managers()[1:]:
        session_stack.kill_task_manager(extra.name)


@pytest.fixture
def bootstrap_servers(stack: Stack) -> str:
    """The broker's address, HOST:PORT."""
    return stack.bootstrap_servers


@pytest.fixture
def new_topic(stack: Stack, job_name: str) -> Callable[..., str]:
    """`new_topic("samples", partitions=4, **{"cleanup.policy": "compact"})`: NAME.samples."""

    def create(suffix: str, partitions: int = 1, **settings: str) -> str:
        topic = NewTopic(f"{job_name}.{suffix}", partitions, 1, topic_configs=settings)
        admin = KafkaAdminClient(bootstrap_servers=stack.bootstrap_servers)
        try:
            admin.create_topics([topic])
        finally:
            admin.close()
        return str(topic.name)

    return create


def cancel_jobs(rest_url: str, timeout_s: float = 60.0) -> None:
    """Cancels every job of the cluster and returns when they have ended."""
    asked: set[str] = set()
    deadline = time.monotonic() + timeout_s
    while running := job_states(rest_url):
        for job in running.keys() - asked:
            request = urllib.request.Request(f"{rest_url}/jobs/{job}?mode=cancel", method="PATCH")
            urllib.request.urlopen(request, timeout=10).close()
            asked.add(job)
        assert time.monotonic() < deadline, f"jobs do not end: {running}"
        time.sleep(0.1)


def job_states(rest_url: str) -> dict[str, str]:
    """State by JobID of the jobs that have not ended."""
    with urllib.request.urlopen(f"{rest_url}/jobs", timeout=10) as answer:
        jobs = json.load(answer)["jobs"]
    return {job["id"]: job["status"] for job in jobs if job["status"] not in END_STATES}
