"""The local stack as a whole: up, status, down, and the ways to hurt it that tests need.

Everything lives in one work folder, and `stack.json` in it tells what runs. It is written before
the first process starts and after each one, so that `down` also clears a half-started or crashed
stack; the id in it marks every process of the stack, whoever its parent is.
"""

import fcntl
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from flink_ol.local import broker, cluster, flink_files, processes, submission
from flink_ol.local.errors import StackError
from flink_ol.local.flink_files import FlinkFolder
from flink_ol.local.home import home
from flink_ol.local.java import find_java
from flink_ol.local.ports import LOOPBACK, free_ports
from flink_ol.local.processes import ProcessRecord
from flink_ol.local.stack_record import StackRecord


@dataclass(frozen=True)
class Member:
    """One process of the stack: its name ("broker", "jobmanager", "tm-1"), and how it is."""

    name: str
    pid: int
    alive: bool
    memory_mib: int  # with its Python workers
    reason: str | None = None  # what Java said where it ended for want of memory


@dataclass(frozen=True)
class StackStatus:
    """What `up` and `status` tell."""

    folder: Path
    bootstrap_servers: str
    rest_url: str
    running: bool  # every member lives, and both addresses answer
    slots: int  # in total, as Flink sees them
    members: list[Member]

    @property
    def memory_mib(self) -> int:
        return sum(member.memory_mib for member in self.members)


class Stack:
    """A Kafka broker and a Flink cluster in `folder` (default: under the user's cache folder)."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = (folder or home() / "stack").absolute()
        self.flink_folder = FlinkFolder(self.folder / "flink")

    # ---- life

    def up(
        self,
        *,
        task_managers: int = 1,
        slots: int = 4,
        heap_mib: int = flink_files.TASK_HEAP,
        bootstrap_servers: str | None = None,
        rest_url: str | None = None,
        progress: Callable[[str], None] = lambda text: None,
    ) -> StackStatus:
        """Starts what is not given by an external address, and returns when it answers.

        `slots` are those of each TaskManager, whose heap has `heap_mib` for the tasks in all of
        them: of large models about forty copies a slot. A log kept by `down(keep=True)` is taken
        up again.

        Raises:
            StackError: it is up already, or a part does not start (the rest is ended again).
        """
        with self._locked():
            if (old := StackRecord.read(self.folder)) is not None:
                if processes.marked_processes(old.id):
                    raise StackError(
                        f"the local stack in {self.folder} is up already (Kafka "
                        f"{old.bootstrap_servers}, Flink {old.rest_url}): `flink-ol status` shows "
                        f"it, `flink-ol down` ends it"
                    )
                StackRecord.remove(self.folder)  # of a stack that the machine's end took with it
            record = StackRecord(
                id=uuid.uuid4().hex,
                bootstrap_servers=bootstrap_servers or "",
                rest_url=rest_url or "",
                external_broker=bootstrap_servers is not None,
                external_cluster=rest_url is not None,
                slots_per_task_manager=slots,
            )
            self.folder.mkdir(parents=True, exist_ok=True)
            record.write(self.folder)
            try:
                self._start(record, task_managers, heap_mib, progress)
            except BaseException:
                processes.end_marked(record.id, grace_s=0)
                StackRecord.remove(self.folder)
                raise
        return self.status()

    def _start(
        self,
        record: StackRecord,
        task_managers: int,
        heap_mib: int,
        progress: Callable[[str], None],
    ) -> None:
        java = find_java()
        started: list[ProcessRecord] = []
        rpc_port = None
        if not record.external_cluster:
            rest_port, rpc_port = free_ports(2)
            record = replace(record, rest_url=f"http://{LOOPBACK}:{rest_port}")
        flink_files.write(
            self.flink_folder.folder,
            java,
            rest_url=record.rest_url,
            rpc_port=rpc_port,
            slots=record.slots_per_task_manager,
            heap_mib=heap_mib,
        )
        if not record.external_cluster:
            # Flink first and waited for last: it is the slowest, and the broker starts meanwhile.
            progress("starting Flink")
            started.append(cluster.start_job_manager(self.flink_folder, java, record.id))
            record = record.with_process(started[-1])
            record.write(self.folder)
        if not record.external_broker:
            progress("starting Kafka")
            place = broker.create(self.folder / "kafka", java)
            process = broker.start(place, java, record.id)
            record = replace(record, bootstrap_servers=place.bootstrap_servers)
            record = record.with_process(process)
            record.write(self.folder)
        if not record.external_cluster:
            for _ in range(task_managers):
                record, name = record.with_next_name()
                started.append(cluster.start_task_manager(self.flink_folder, java, record.id, name))
                record = record.with_process(started[-1])
                record.write(self.folder)
        if not record.external_broker:
            broker.wait_ready(place, process)
            progress(f"Kafka answers at {record.bootstrap_servers}")
        if not record.external_cluster:
            cluster.wait_for_task_managers(record.rest_url, started, self.flink_folder.logs)
            progress(f"Flink answers at {record.rest_url}")

    def down(self, *, keep: bool = False, grace_s: float = 10.0) -> list[int]:
        """Ends every process of the stack and removes the folder's content; returns their pids.

        Does nothing where nothing is. `keep=True` leaves Kafka's log, checkpoints and Flink's logs.
        """
        if not self.folder.exists():
            return []
        with self._locked():
            record = StackRecord.read(self.folder)
            # Flink before Kafka: a job must not see its broker vanish and begin to recover.
            ended = []
            if record is not None:
                found = processes.marked_processes(record.id)
                kafka = processes.marked_processes(record.id, broker.MEMBER)
                processes.end([each for each in found if each not in kafka], grace_s=grace_s)
                processes.end(kafka, grace_s=grace_s)
                ended = [each.pid for each in found]
                ended += processes.end_marked(record.id, grace_s=2.0)
            StackRecord.remove(self.folder)
            if not keep:
                shutil.rmtree(self.folder / "kafka", ignore_errors=True)
                shutil.rmtree(self.flink_folder.folder, ignore_errors=True)
        if not keep:
            (self.folder / "lock").unlink(missing_ok=True)
            if not any(self.folder.iterdir()):
                self.folder.rmdir()
        return ended

    def status(self) -> StackStatus:
        """How the stack is now.

        Raises:
            StackError: there is none in this folder.
        """
        record = self._record()
        members = []
        for process in record.processes:
            found = processes.find(process)
            marked = processes.marked_processes(record.id, process.name)
            memory = processes.memory_bytes(marked) >> 20
            reason = None
            if found is None and process.name.startswith("tm-"):
                reason = cluster.end_of(self.flink_folder.logs, process.name)
            members.append(Member(process.name, process.pid, found is not None, memory, reason))
        view = cluster.overview(record.rest_url)
        answering = view is not None and broker.answers(record.bootstrap_servers)
        return StackStatus(
            folder=self.folder,
            bootstrap_servers=record.bootstrap_servers,
            rest_url=record.rest_url,
            running=answering and all(member.alive for member in members),
            slots=int(view["slots-total"]) if view else 0,
            members=members,
        )

    @property
    def bootstrap_servers(self) -> str:
        """The broker's address, HOST:PORT."""
        return self._record().bootstrap_servers

    @property
    def rest_url(self) -> str:
        """Flink's REST address, http://HOST:PORT."""
        return self._record().rest_url

    # ---- jobs

    def submit_environment(self) -> dict[str, str]:
        """The environment for a child process that submits a job by PyFlink (see submission)."""
        self._record()
        return submission.environment(self.flink_folder, find_java())

    def submit(self, arguments: Sequence[str | Path], *, folder: Path | None = None) -> str:
        """`flink run --detached ARGUMENTS...`, in a child process; returns the JobID.

        For example `["-py", "jobs/train.py", "spec.yaml"]`, or with `-pyfs FOLDER` before the
        script where its functions live in modules that are not installed.
        """
        self._record()
        return submission.run_detached(self.flink_folder, find_java(), arguments, folder=folder)

    def flink(self, arguments: Sequence[str | Path]) -> str:
        """Any other `flink ARGUMENTS...` (`list`, `stop`, `cancel`); returns what it printed."""
        self._record()
        return submission.flink(self.flink_folder, find_java(), arguments)

    # ---- members

    def task_managers(self) -> list[ProcessRecord]:
        """The living TaskManagers."""
        return [
            process
            for process in self._record().processes
            if process.name.startswith("tm-") and processes.find(process) is not None
        ]

    def add_task_manager(self, *, wait: bool = True) -> ProcessRecord:
        """Starts one more TaskManager, under a new name."""
        with self._locked():
            record, name = self._record().with_next_name()
            started = cluster.start_task_manager(self.flink_folder, find_java(), record.id, name)
            record.with_process(started).write(self.folder)
        if wait:
            cluster.wait_for_task_managers(record.rest_url, [started], self.flink_folder.logs)
        return started

    def kill_task_manager(self, name: str | None = None) -> list[int]:
        """`kill -9` of a TaskManager (default: the oldest) and then of its orphaned workers."""
        with self._locked():
            record = self._record()
            alive = self.task_managers()
            chosen = next((each for each in alive if name in (None, each.name)), None)
            if chosen is None:
                raise StackError(
                    f"no TaskManager {name or ''} lives in {self.folder}: there are "
                    f"{[each.name for each in alive] or 'none'}"
                )
            ended = self._kill(record, chosen)
            record.without_process(chosen.name).write(self.folder)
        return ended

    def kill_python_worker(self) -> int:
        """`kill -9` of the Python worker that holds most memory, its TaskManager lives; its pid."""
        record = self._record()
        leaves = [
            process
            for chosen in self.task_managers()
            for process in processes.marked_processes(record.id, chosen.name)
            if process.pid != chosen.pid and not process.children()
        ]
        if not leaves:
            raise StackError(f"no Python worker lives in {self.folder}: no job runs")
        worker = max(leaves, key=lambda process: processes.memory_bytes([process]))
        processes.end([worker], grace_s=0)
        return worker.pid

    def kill_job_manager(self) -> list[int]:
        """`kill -9` of the JobManager; its jobs are gone, their checkpoints are not."""
        record = self._record()
        return self._kill(record, record.process(cluster.JOB_MANAGER))

    def restart_job_manager(self) -> ProcessRecord:
        """Starts a JobManager at the old address, and returns when the TaskManagers found it."""
        with self._locked():
            record = self._record()
            if processes.marked_processes(record.id, cluster.JOB_MANAGER):
                raise StackError(f"the JobManager at {record.rest_url} is running: kill it first")
            started = cluster.start_job_manager(self.flink_folder, find_java(), record.id)
            record.without_process(cluster.JOB_MANAGER).with_process(started).write(self.folder)
        all_of = [started, *self.task_managers()]
        cluster.wait_for_task_managers(record.rest_url, all_of, self.flink_folder.logs)
        return started

    def kill_broker(self) -> list[int]:
        """`kill -9` of the broker; `restart_broker` starts it on the same folder and port."""
        record = self._record()
        return self._kill(record, record.process(broker.MEMBER))

    def restart_broker(self) -> ProcessRecord:
        """Starts the broker again after `kill_broker`, and returns when it serves all it had."""
        with self._locked():
            record, java = self._record(), find_java()
            if processes.marked_processes(record.id, broker.MEMBER):
                raise StackError(f"the broker at {record.bootstrap_servers} is running: kill it")
            place = broker.create(self.folder / "kafka", java)
            started = broker.start(place, java, record.id)
            record.without_process(broker.MEMBER).with_process(started).write(self.folder)
        broker.wait_ready(place, started)
        broker.wait_served(place)
        return started

    def _kill(self, record: StackRecord, chosen: ProcessRecord) -> list[int]:
        # The JVM first: it would start new workers in place of killed ones.
        process = processes.find(chosen)
        processes.end([process] if process else [], grace_s=0)
        return [chosen.pid, *processes.end_marked(record.id, chosen.name, grace_s=0)]

    # ---- state

    def _record(self) -> StackRecord:
        record = StackRecord.read(self.folder)
        if record is None:
            raise StackError(f"no local stack in {self.folder}: `flink-ol up` starts one")
        return record

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One `up` or `down` at a time in this folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StackError(
                    f"another process is starting or ending the local stack in {self.folder}: "
                    f"try again when it is done"
                ) from None
            yield
