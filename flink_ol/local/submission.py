"""Flink's command line against a cluster, in a child process: submit, list, stop with savepoint."""

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from flink_ol.local import cluster
from flink_ol.local.errors import StackError
from flink_ol.local.flink_files import FlinkFolder
from flink_ol.local.java import Java

_FRONT_END = "org.apache.flink.client.cli.CliFrontend"
_JOB_ID = re.compile(r"JobID ([0-9a-f]{32})")


def environment(files: FlinkFolder, java: Java) -> dict[str, str]:
    """Variables for a Python child that submits by PyFlink itself (`env.execute_async()`).

    The child's `StreamExecutionEnvironment.get_execution_environment()` is the cluster: the
    settings and SUBMIT_ARGS say so, and Java, the connector and flink-python are found. Close its
    standard input or let it end: the JVM that PyFlink starts for it ends with it.
    """
    return cluster.environment(files, java) | {
        # Without it PyFlink runs the job in its own gateway process, whatever the settings say.
        "SUBMIT_ARGS": "remote",
        # The client's JVM builds one job graph and ends: small, and compiled only lightly.
        "JVM_ARGS": "-Xmx384m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData",
    }


def flink_command(files: FlinkFolder, java: Java, arguments: Sequence[str | Path]) -> list[str]:
    """The command line of `flink ARGUMENTS...`, without Flink's shell scripts."""
    return [
        str(java.executable),
        *environment(files, java)["JVM_ARGS"].split(),
        *files.java_options(),
        f"-Djava.io.tmpdir={files.temporary}",
        f"-Dlog.file={files.logs}/client.log",
        f"-Dlog4j.configurationFile=file:{files.conf}/log4j-cli.properties",
        "-cp",
        os.pathsep.join(str(path) for path in sorted(files.lib.glob("*.jar"))),
        _FRONT_END,
        *(str(argument) for argument in arguments),
    ]


def flink(
    files: FlinkFolder,
    java: Java,
    arguments: Sequence[str | Path],
    *,
    folder: Path | None = None,
    timeout_s: float = 180.0,
) -> str:
    """Runs `flink ARGUMENTS...` in `folder` (default: here) and returns what it printed.

    Raises:
        StackError: it failed or took too long; with what it printed.
    """
    called = "flink " + " ".join(str(argument) for argument in arguments)
    command = flink_command(files, java, arguments)
    # A session of its own: on a time-out the client's Python child must go with it.
    child = subprocess.Popen(
        command,
        cwd=folder,
        env=environment(files, java),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    with child:
        try:
            printed, _ = child.communicate(timeout=timeout_s)
        except BaseException as error:
            os.killpg(child.pid, 9)
            if isinstance(error, subprocess.TimeoutExpired):
                raise StackError(
                    f"`{called}` did not end within {timeout_s:.0f} s; see {files.logs}/client.log"
                ) from error
            raise
    if child.returncode != 0:
        raise StackError(f"`{called}` failed with exit code {child.returncode}:\n{printed.strip()}")
    return printed


def run_detached(
    files: FlinkFolder,
    java: Java,
    arguments: Sequence[str | Path],
    *,
    folder: Path | None = None,
) -> str:
    """`flink run --detached ARGUMENTS...`; returns the JobID (32 hexadecimal digits)."""
    printed = flink(files, java, ["run", "--detached", *arguments], folder=folder)
    match = _JOB_ID.search(printed)
    if match is None:
        raise StackError(f"flink run submitted no job; does the script execute one?\n{printed}")
    return match[1]
