"""The local stack as a whole: up, status, down, and the jobs on it."""

import shutil
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from flink_ol.local import broker, cluster, flink_files, processes, submission
from flink_ol.local.errors import StackError
from flink_ol.local.java import find_java
from flink_ol.local.members import Members
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


class Stack(Members):
    """A Kafka broker and a Flink cluster in one work folder."""

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
