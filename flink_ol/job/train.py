"""The job's entry: ``flink run -py jobs/train.py SPEC``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from flink_ol.core.training import passes_of
from flink_ol.job import origin
from flink_ol.job.ends import input_ends
from flink_ol.job.problems import SpecError
from flink_ol.job.record_size import record_bytes
from flink_ol.job.spec import Spec
from flink_ol.job.start_model import start_model
from flink_ol.job.topics import ensure_topics


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the specification, make missing topics, submit the job; the exit code."""
    parser = argparse.ArgumentParser(prog="train.py", description="Run a flink_ol job.")
    parser.add_argument("spec", help="the job's specification, a YAML file")
    path = parser.parse_args(arguments).spec
    try:
        spec = Spec.load(path)
        start = start_model(spec)
        ensure_topics(spec)
        ends = input_ends(spec) if passes_of(spec.training) else {}
        size = record_bytes(spec)
    except SpecError as error:
        print(error, file=sys.stderr)
        return 2
    # starts a JVM: only for a valid specification
    from flink_ol.job.topology import build, checkpoint_folder, flink_settings

    environment = build(spec, start, ends, size)
    folder = checkpoint_folder(environment)
    attached = flink_settings(environment).get_boolean("execution.attached", False)
    client = environment.execute_async(spec.name)
    local = None if folder is None else origin.local_path(folder)
    if local is not None:
        try:
            origin.write(local / str(client.get_job_id()), origin.origin_of(spec))
        except OSError as error:
            # the job runs: what is lost is only a check before it is restored one day
            print(f"warning: {origin.FILE} could not be written: {error}", file=sys.stderr)
    if attached:
        client.get_job_execution_result().result()
    return 0
