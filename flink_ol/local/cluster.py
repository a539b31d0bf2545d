"""The processes of a local Flink cluster: one JobManager, any number of TaskManagers.

They are started as plain Java processes, not by Flink's scripts: so their pids are known, and
nothing outside the work folder is written. Python workers are children of the TaskManagers.
"""

import json
import os
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from flink_ol.local import flink_files, processes
from flink_ol.local.errors import StackError
from flink_ol.local.flink_files import FlinkFolder
from flink_ol.local.java import Java
from flink_ol.local.processes import ProcessRecord

JOB_MANAGER = "jobmanager"
START_TIMEOUT_S = 90.0

_JOB_MANAGER_CLASS = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
_TASK_MANAGER_CLASS = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"


def start_job_manager(files: FlinkFolder, java: Java, stack_id: str) -> ProcessRecord:
    """Starts the JobManager's process; `wait_for_task_managers` tells when the cluster is up."""
    # It coordinates, and computes next to nothing: compiled lightly, it leaves the cores alone.
    light = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
    options = [*flink_files.job_manager_memory_options(), *light]
    command = _java(files, java, JOB_MANAGER, options, _JOB_MANAGER_CLASS)
    return _spawn(JOB_MANAGER, command, files, java, stack_id)


def start_task_manager(files: FlinkFolder, java: Java, stack_id: str, name: str) -> ProcessRecord:
    """Starts a TaskManager's process, which finds the JobManager by the settings."""
    # G1's concurrent threads would take time from learning on a machine of a few cores.
    # Half of the heap for what is new: what is on its way through lives long enough to be copied.
    collector = ["-XX:+UseParallelGC", "-XX:NewRatio=1"]
    options = [*flink_files.task_manager_memory_options(files), *collector]
    command = _java(files, java, name, options, _TASK_MANAGER_CLASS)
    # A name per process: after a kill the JobManager must not take the new one for the old one.
    command += ["-D", f"taskmanager.resource-id={name}"]
    return _spawn(name, command, files, java, stack_id)


def _java(files: FlinkFolder, java: Java, name: str, options: list[str], main: str) -> list[str]:
    return [
        str(java.executable),
        *options,
        *files.java_options(),
        "-XX:-UsePerfData",  # no files outside the folder
        "-XX:+IgnoreUnrecognizedVMOptions",
        "-XX:+ExitOnOutOfMemoryError",
        f"-XX:ErrorFile={files.logs}/crash-%p.log",
        f"-Djava.io.tmpdir={files.temporary}",
        f"-Dlog.file={files.logs}/{name}.log",
        f"-Dlog4j.configurationFile=file:{files.conf}/log4j.properties",
        "-cp",
        os.pathsep.join(str(path) for path in sorted(files.lib.glob("*.jar"))),
        main,
        "--configDir",
        str(files.conf),
    ]


def _spawn(
    name: str, command: list[str], files: FlinkFolder, java: Java, stack_id: str
) -> ProcessRecord:
    return processes.spawn(
        name,
        command,
        stack_id=stack_id,
        environment=environment(files, java),
        folder=files.temporary,
        log=files.logs / f"{name}.out",
    )


def environment(files: FlinkFolder, java: Java) -> dict[str, str]:
    """Variables by which Flink and PyFlink find this folder, on top of the caller's own."""
    home = flink_files.flink_home()
    return os.environ | {
        "JAVA_HOME": str(java.home),
        "FLINK_HOME": str(home),
        "FLINK_CONF_DIR": str(files.conf),
        "FLINK_LIB_DIR": str(files.lib),
        "FLINK_OPT_DIR": str(home / "opt"),
        "FLINK_PLUGINS_DIR": str(home / "plugins"),
        "FLINK_LOG_DIR": str(files.logs),
        "TMPDIR": str(files.temporary),
        # Otherwise Python functions of a locally executed job run as threads of the client.
        "_python_worker_execution_mode": "process",
    }


def overview(rest_url: str, timeout_s: float = 5.0) -> dict[str, Any] | None:
    """Flink's own words on the cluster ("taskmanagers", "slots-total", ...); None: no answer."""
    try:
        with urllib.request.urlopen(f"{rest_url}/overview", timeout=timeout_s) as answer:
            return dict(json.load(answer))
    except (urllib.error.URLError, OSError, ValueError):
        return None


def task_manager_ids(rest_url: str) -> list[str]:
    """Names of the TaskManagers that the JobManager knows now (a killed one for a while still)."""
    with urllib.request.urlopen(f"{rest_url}/taskmanagers", timeout=5.0) as answer:
        return [entry["id"] for entry in json.load(answer)["taskmanagers"]]


def wait_for_task_managers(
    rest_url: str,
    records: list[ProcessRecord],
    logs: Path,
    timeout_s: float = START_TIMEOUT_S,
) -> None:
    """Returns when every TaskManager among the records has registered.

    Raises:
        StackError: a process ended or the time was up; with the end of the log.
    """
    expected = {record.name for record in records if record.name != JOB_MANAGER}
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        for record in records:
            if processes.find(record) is None:
                raise StackError(
                    f"Flink's {record.name} (pid {record.pid}) ended while the cluster started; "
                    f"{_ends_of_logs(logs, record.name)}"
                )
        try:
            if expected <= set(task_manager_ids(rest_url)):
                return
        except (urllib.error.URLError, OSError, ValueError):
            pass
        time.sleep(0.2)
    raise StackError(
        f"TaskManagers {sorted(expected)} did not register at {rest_url} within "
        f"{timeout_s:.0f} s; {_ends_of_logs(logs, JOB_MANAGER)}"
    )


def end_of(logs: Path, name: str) -> str | None:
    """What Java said when it ended a process for want of memory; None for any other end."""
    last = processes.tail(logs / f"{name}.out").splitlines()
    return next((line for line in reversed(last) if "OutOfMemoryError" in line), None)


def _ends_of_logs(logs: Path, name: str) -> str:
    ends = [
        f"the end of {logs / name}{suffix}:\n{processes.tail(logs / f'{name}{suffix}')}"
        for suffix in (".log", ".out")
    ]
    return "\n".join(ends)
