"""The processes of a local stack one by one, and the ways to hurt it that tests need."""

from flink_ol.local import broker, cluster, processes
from flink_ol.local.errors import StackError
from flink_ol.local.java import find_java
from flink_ol.local.processes import ProcessRecord
from flink_ol.local.stack_folder import StackFolder
from flink_ol.local.stack_record import StackRecord


class Members(StackFolder):
    """Kills and starts single processes of the stack in the folder."""

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
