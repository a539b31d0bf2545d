"""The local stack: starts real processes, runs jobs, survives kills, and leaves nothing behind."""

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from kafka import KafkaConsumer, KafkaProducer

from flink_ol.local import processes
from flink_ol.local.errors import StackError
from flink_ol.local.stack import Stack
from flink_ol.local.stack_record import StackRecord

JOB = Path(__file__).parent / "shout" / "shout_job.py"


def send(servers: str, topic: str, messages: list[bytes]) -> None:
    producer = KafkaProducer(bootstrap_servers=servers)
    try:
        for message in messages:
            producer.send(topic, message)
        producer.flush()
    finally:
        producer.close()


def receive(servers: str, topic: str, count: int) -> list[bytes]:
    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=servers,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    found: list[bytes] = []
    deadline = time.monotonic() + 60.0
    try:
        while len(found) < count and time.monotonic() < deadline:
            # in short pieces: within one long poll kafka-python does not ask again
            for records in consumer.poll(timeout_ms=500).values():
                found += (record.value for record in records)
    finally:
        consumer.close()
    return found[:count]


def words(messages: list[bytes]) -> list[bytes]:
    return sorted(message.rpartition(b" ")[0] for message in messages)


def record_of(stack: Stack) -> StackRecord:
    record = StackRecord.read(stack.folder)
    assert record is not None
    return record


def test_status_tells_every_process_and_both_addresses(stack: Stack) -> None:
    status = stack.status()
    assert status.running
    assert status.slots == 4
    assert {"broker", "jobmanager"} < {member.name for member in status.members}
    assert all(member.alive and member.memory_mib > 50 for member in status.members)
    assert 300 < status.memory_mib < 2560


def test_a_second_up_is_refused_with_the_way_out(stack: Stack) -> None:
    with pytest.raises(StackError, match=r"up already.*flink-ol down"):
        Stack(stack.folder).up()
    assert stack.status().running


def test_stack_processes_listen_on_loopback_only(stack: Stack) -> None:
    # Beam's runner ports, open while a Python job runs, are not ours to bind: see docs of `local`.
    listening = [
        connection.laddr.ip
        for process in processes.marked_processes(record_of(stack).id)
        for connection in process.net_connections(kind="tcp")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) >= 5
    assert {address.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}


@pytest.mark.recovery
def test_a_job_of_flink_run_goes_on_after_kill_9_of_its_task_manager(
    stack: Stack, bootstrap_servers: str, new_topic: Callable[..., str], job_name: str
) -> None:
    source, sink = new_topic("source", 2), new_topic("sink")
    send(bootstrap_servers, source, [b"before %d" % i for i in range(100)])
    job = stack.submit(["-py", JOB, bootstrap_servers, source, sink, job_name])
    first = receive(bootstrap_servers, sink, 100)
    assert words(first) == sorted(b"BEFORE %d" % i for i in range(100))
    workers = {int(message.rpartition(b" ")[2]) for message in first}
    victim = stack.task_managers()[0]
    marked = {each.pid for each in processes.marked_processes(record_of(stack).id, victim.name)}
    assert workers < marked, "workers carry the mark of their TaskManager"

    ended = stack.kill_task_manager()
    assert marked <= set(ended)
    assert not any(psutil.pid_exists(pid) for pid in marked)
    assert stack.add_task_manager().name != victim.name

    send(bootstrap_servers, source, [b"after %d" % i for i in range(100)])
    both = receive(bootstrap_servers, sink, 200)
    assert words(both) == sorted(
        [b"BEFORE %d" % i for i in range(100)] + [b"AFTER %d" % i for i in range(100)]
    )
    assert job in stack.flink(["list"])
    assert "Savepoint completed" in stack.flink(["stop", job])


def test_a_script_that_uses_pyflink_itself_submits_to_the_cluster(
    stack: Stack, bootstrap_servers: str, new_topic: Callable[..., str], job_name: str
) -> None:
    source, sink = new_topic("source"), new_topic("sink")
    send(bootstrap_servers, source, [b"one", b"two"])
    answer = subprocess.run(
        [sys.executable, JOB, bootstrap_servers, source, sink, job_name],
        env=stack.submit_environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert words(receive(bootstrap_servers, sink, 2)) == [b"ONE", b"TWO"]


def test_a_failing_script_is_an_error_that_quotes_it(stack: Stack, tmp_path: Path) -> None:
    script = tmp_path / "broken.py"
    script.write_text("raise ValueError('the spec is nonsense')\n")
    with pytest.raises(StackError, match="the spec is nonsense"):
        stack.submit(["-py", script])


@pytest.mark.recovery
def test_a_killed_broker_returns_on_its_port_with_its_log(
    stack: Stack, bootstrap_servers: str, new_topic: Callable[..., str]
) -> None:
    topic = new_topic("kept")
    send(bootstrap_servers, topic, [b"kept"])
    stack.kill_broker()
    assert not stack.status().running
    stack.restart_broker()
    assert stack.status().running
    assert stack.bootstrap_servers == bootstrap_servers
    assert receive(bootstrap_servers, topic, 1) == [b"kept"]


def test_a_part_can_be_external_and_down_leaves_nothing(stack: Stack, tmp_path: Path) -> None:
    second = Stack(tmp_path / "second")
    status = second.up(rest_url=stack.status().rest_url)
    try:
        assert [member.name for member in status.members] == ["broker"]
        assert status.running
        assert status.rest_url == stack.status().rest_url
        assert status.bootstrap_servers != stack.bootstrap_servers
        second_id = record_of(second).id
    finally:
        ended = second.down()
    assert ended == [member.pid for member in status.members]
    assert processes.marked_processes(second_id) == []
    assert not second.folder.exists()
    assert stack.status().running


def test_down_without_a_stack_does_nothing(tmp_path: Path) -> None:
    assert Stack(tmp_path / "nothing").down() == []
    assert not (tmp_path / "nothing").exists()


def test_status_without_a_stack_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="flink-ol up"):
        Stack(tmp_path).status()


def test_down_clears_a_half_started_stack_and_its_orphans(tmp_path: Path) -> None:
    half = StackRecord(
        id=uuid.uuid4().hex,
        bootstrap_servers="",
        rest_url="",
        external_broker=False,
        external_cluster=False,
        slots_per_task_manager=1,
    )
    half.write(tmp_path)
    # A member that starts a worker and dies, without ever having come into the record.
    member = processes.spawn(
        "tm-1",
        [sys.executable, "-c", "import subprocess; subprocess.Popen(['sleep', '600'])"],
        stack_id=half.id,
        environment=os.environ,
        folder=tmp_path,
        log=tmp_path / "flink" / "log",
    )
    child = processes.find(member)
    assert child is None or child.wait(timeout=30) == 0
    orphans = [process.pid for process in processes.marked_processes(half.id)]
    assert len(orphans) == 1
    assert Stack(tmp_path).down(grace_s=1.0) == orphans
    assert not psutil.pid_exists(orphans[0])
    assert not tmp_path.exists()


def test_a_record_is_not_fooled_by_a_reused_pid() -> None:
    own = psutil.Process()
    assert processes.find(processes.ProcessRecord("x", own.pid, own.create_time())) == own
    assert processes.find(processes.ProcessRecord("x", own.pid, own.create_time() - 60)) is None
