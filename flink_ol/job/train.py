"""The job's entry: ``flink run -py jobs/train.py SPEC``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from flink_ol.job.problems import SpecError
from flink_ol.job.spec import Spec
from flink_ol.job.topics import ensure_topics


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the specification, make missing topics, submit the job; the exit code."""
    parser = argparse.ArgumentParser(prog="train.py", description="Run a flink_ol job.")
    parser.add_argument("spec", help="the job's specification, a YAML file")
    path = parser.parse_args(arguments).spec
    try:
        spec = Spec.load(path)
        ensure_topics(spec)
    except SpecError as error:
        print(error, file=sys.stderr)
        return 2
    from flink_ol.job.topology import build  # starts a JVM: only for a valid specification

    build(spec).execute(spec.name)
    return 0
