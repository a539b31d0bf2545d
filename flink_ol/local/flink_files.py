"""The folder a Flink cluster lives from: its settings, its lib folder, its logs and checkpoints."""

import os
import shutil
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from flink_ol.local import jars
from flink_ol.local.errors import StackError
from flink_ol.local.java import Java
from flink_ol.local.ports import LOOPBACK

# The TaskManager's memory in MiB. Given whole: the start scripts would work these numbers out and
# hand them over, and we start the process itself. Samples go into Python from off the heap.
TASK_HEAP, TASK_OFF_HEAP, NETWORK, MANAGED = 448, 128, 64, 64
FRAMEWORK_HEAP, FRAMEWORK_OFF_HEAP, METASPACE, OVERHEAD = 96, 64, 224, 64
JOB_MANAGER_HEAP = 320
_TASK_HEAP = "taskmanager.memory.task.heap.size"
HEARTBEAT_TIMEOUT_MS = 8_000


@dataclass(frozen=True)
class FlinkFolder:
    """Paths of one cluster (or of a client of an external one) under one work folder."""

    folder: Path

    @property
    def conf(self) -> Path:
        return self.folder / "conf"

    @property
    def lib(self) -> Path:
        return self.folder / "lib"

    @property
    def logs(self) -> Path:
        return self.folder / "log"

    @property
    def temporary(self) -> Path:
        return self.folder / "tmp"

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    @property
    def savepoints(self) -> Path:
        return self.folder / "savepoints"

    def java_options(self) -> list[str]:
        """The JVM options that Flink's own settings ask for (--add-opens and such)."""
        return str(self.settings()["env.java.opts.all"]).split()

    def settings(self) -> dict[str, Any]:
        """What was written for Flink to read."""
        return dict(yaml.safe_load((self.conf / "config.yaml").read_text()))


def flink_home() -> Path:
    """Flink as the apache-flink package installs it, found without importing it."""
    spec = find_spec("pyflink")
    if spec is None or not spec.submodule_search_locations:
        raise StackError("apache-flink is not installed beside flink_ol: `make setup` installs it")
    return Path(spec.submodule_search_locations[0])


def write(
    folder: Path,
    java: Java,
    *,
    rest_url: str,
    rpc_port: int | None,
    slots: int,
    heap_mib: int = TASK_HEAP,
) -> None:
    """Writes conf and lib; `rpc_port` is None for an external cluster, which is only talked to.

    `heap_mib`: of each TaskManager, for the tasks in all of its `slots`.
    """
    files = FlinkFolder(folder)
    home = flink_home()
    for path in (files.lib, files.logs, files.temporary, files.checkpoints, files.savepoints):
        path.mkdir(parents=True, exist_ok=True)
    if files.conf.exists():
        shutil.rmtree(files.conf)
    shutil.copytree(home / "conf", files.conf)
    # flink-python belongs into lib: named by pipeline.jars it would be loaded a second time.
    libraries = [*(home / "lib").glob("*.jar"), *(home / "opt").glob("flink-python-*.jar")]
    for jar in [*libraries, *jars.fetch("connector")]:
        link = files.lib / jar.name
        link.unlink(missing_ok=True)
        link.symlink_to(jar)
    shipped = yaml.safe_load((files.conf / "config.yaml").read_text())
    settings = _common(files, java, rest_url)
    settings["env.java.opts.all"] = shipped["env"]["java"]["opts"]["all"]
    if rpc_port is not None:
        settings |= _cluster(files, rpc_port, slots, heap_mib)
    (files.conf / "config.yaml").write_text(yaml.safe_dump(settings, width=10_000))


def _common(files: FlinkFolder, java: Java, rest_url: str) -> dict[str, Any]:
    address = urlsplit(rest_url)
    if not address.hostname or not address.port:
        raise StackError(
            f"Flink's REST address {rest_url!r} has no host and port: give it as http://HOST:PORT"
        )
    return {
        "rest.address": address.hostname,
        "rest.port": address.port,
        "execution.target": "remote",
        "env.java.home": str(java.home),
        "env.log.dir": str(files.logs),
        "env.pid.dir": str(files.folder),
        "python.executable": sys.executable,
        "python.client.executable": sys.executable,
    }


def _cluster(files: FlinkFolder, rpc_port: int, slots: int, heap_mib: int) -> dict[str, Any]:
    # Ports given as 0 are chosen by the process that binds them.
    return {
        "jobmanager.rpc.address": LOOPBACK,
        "jobmanager.rpc.port": rpc_port,
        "jobmanager.bind-host": LOOPBACK,
        "rest.bind-address": LOOPBACK,
        "blob.server.port": "0",
        "taskmanager.host": LOOPBACK,
        "taskmanager.bind-host": LOOPBACK,
        "taskmanager.rpc.port": "0",
        "taskmanager.data.port": 0,
        "taskmanager.data.bind-port": "0",
        "metrics.internal.query-service.port": "0",
        "web.submit.enable": False,  # no jars from a browser; the client's way stays open
        "web.tmpdir": str(files.temporary),
        "io.tmp.dirs": str(files.temporary),
        "blob.storage.directory": str(files.temporary / "blobs"),
        "process.working-dir": str(files.temporary / "work"),
        "execution.checkpointing.dir": files.checkpoints.as_uri(),
        "execution.checkpointing.savepoint-dir": files.savepoints.as_uri(),
        "heartbeat.interval": HEARTBEAT_TIMEOUT_MS // 4,
        "heartbeat.timeout": HEARTBEAT_TIMEOUT_MS,
        "taskmanager.load-balance.mode": "SLOTS",  # two TaskManagers share a job
        "taskmanager.numberOfTaskSlots": slots,
        "taskmanager.cpu.cores": float(os.cpu_count() or 1),
        _TASK_HEAP: f"{heap_mib}m",
        "taskmanager.memory.task.off-heap.size": f"{TASK_OFF_HEAP}m",
        "taskmanager.memory.network.min": f"{NETWORK}m",
        "taskmanager.memory.network.max": f"{NETWORK}m",
        "taskmanager.memory.managed.size": f"{MANAGED}m",
        "taskmanager.memory.framework.heap.size": f"{FRAMEWORK_HEAP}m",
        "taskmanager.memory.framework.off-heap.size": f"{FRAMEWORK_OFF_HEAP}m",
        "taskmanager.memory.jvm-metaspace.size": f"{METASPACE}m",
        "taskmanager.memory.jvm-overhead.min": f"{OVERHEAD}m",
        "taskmanager.memory.jvm-overhead.max": f"{OVERHEAD}m",
    }


def task_manager_memory_options(files: FlinkFolder) -> list[str]:
    """What the start script would give the TaskManager's JVM for the sizes that were written."""
    direct = FRAMEWORK_OFF_HEAP + TASK_OFF_HEAP + NETWORK
    heap = FRAMEWORK_HEAP + int(files.settings()[_TASK_HEAP].removesuffix("m"))
    return [
        f"-Xms{heap // 2}m",
        f"-Xmx{heap}m",
        f"-XX:MaxDirectMemorySize={direct}m",
        f"-XX:MaxMetaspaceSize={METASPACE}m",
    ]


def job_manager_memory_options() -> list[str]:
    """A JobManager that coordinates a few small jobs."""
    return ["-Xms128m", f"-Xmx{JOB_MANAGER_HEAP}m", f"-XX:MaxMetaspaceSize={METASPACE}m"]
