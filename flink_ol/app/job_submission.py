"""Handing a job to a Flink cluster: `flink run --detached`, in a child process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from flink_ol.app import recovery_points
from flink_ol.app.errors import FailureError
from flink_ol.job.spec import Spec
from flink_ol.local import flink_files, submission
from flink_ol.local.errors import StackError
from flink_ol.local.flink_files import FlinkFolder
from flink_ol.local.java import find_java
from flink_ol.local.stack import Stack
from flink_ol.local.stack_record import StackRecord

_ENTRY = """\
import sys

from flink_ol.job.train import main

sys.exit(main())
"""


def submit(path: Path, spec: Spec, folder: Path, rest_url: str, restore: str | None) -> str:
    """Submit the job of the specification at ``path``; the job's id.

    ``spec`` is what was read from there, with the workers and the broker that are to hold.
    ``restore`` is the checkpoint or savepoint to go on from. Raises :class:`FailureError`.
    """
    arguments: list[str | Path] = ["--fromSavepoint", restore] if restore else []
    copies = folder.absolute() / "jobs"
    copies.mkdir(parents=True, exist_ok=True)
    entry = copies / "train.py"  # flink takes a script, and the package may be installed without
    entry.write_text(_ENTRY, encoding="utf-8")
    arguments += ["-py", entry, _resolved(path, spec, folder, copies)]
    record = StackRecord.read(folder)
    try:
        if record is not None and record.rest_url == rest_url:
            return Stack(folder).submit(arguments)
        java, files = find_java(), FlinkFolder(folder.absolute() / "client")
        flink_files.write(files.folder, java, rest_url=rest_url, rpc_port=None, slots=1)
        return submission.run_detached(files, java, arguments)
    except StackError as error:
        raise FailureError(_reason(str(error))) from error


def _resolved(path: Path, spec: Spec, folder: Path, copies: Path) -> Path:
    """A copy of the specification with the addresses that hold now, for the child to read.

    It is made from the text as written, so that ``${VARIABLES}`` are filled in by the child and
    no password lands in the file.
    """
    fields: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    kafka = dict(fields.get("kafka") or {})
    kafka["bootstrap_servers"] = spec.kafka.bootstrap_servers
    checkpoints = dict(fields.get("checkpoints") or {})
    checkpoints["directory"] = recovery_points.base(spec, folder)
    training = dict(fields.get("training") or {})
    training["workers"] = spec.training.workers
    fields |= {"kafka": kafka, "checkpoints": checkpoints, "training": training}
    copy = copies / f"{spec.name}.yaml"
    text = yaml.safe_dump(fields, sort_keys=False)
    copy.write_text(f"# written by `flink-ol run {path}`\n{text}", encoding="utf-8")
    return copy


def _reason(printed: str) -> str:
    """What went wrong, out of all that the client printed: Python's error, or Java's last cause."""
    lines = [line.rstrip() for line in printed.splitlines()]
    causes = [line.split("Caused by: ")[-1] for line in lines if line.startswith("Caused by: ")]
    python = [
        line
        for line in lines
        if line
        and not line[0].isspace()
        and ("Error: " in line)
        and not line.startswith(("Caused by", "org.", "java."))
    ]
    if not (python or causes):
        return printed
    chosen = python[-1] if python else causes[-1]
    return f"the job was not accepted: {chosen}\n(FLINK_OL_TRACEBACK=1 shows all that Flink said)"
