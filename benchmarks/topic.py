"""A broker of its own with one filled topic: what all contestants of a workload read."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.workloads import most, records, samples_each
from flink_ol.client import Connection, SampleWriter
from flink_ol.job.spec import Spec
from flink_ol.job.topics import ensure_topics
from flink_ol.local.stack import Stack

PARTITIONS = 4
_NO_FLINK = "http://127.0.0.1:9"  # the stack starts none where it is told of one


class Topic(NamedTuple):
    """What is in it, and where."""

    servers: str
    workload: str
    encoding: str
    samples: int
    messages: int
    record_bytes: float  # of a sample, on average
    file: Path  # the different records once, one a line

    @property
    def job(self) -> str:
        """The job whose samples these are."""
        return self.workload

    @property
    def name(self) -> str:
        return f"{self.job}.samples"

    @property
    def samples_each(self) -> int:
        """In a message."""
        return self.samples // self.messages


@contextmanager
def filled(workload: str, encoding: str, samples: int) -> Iterator[Topic]:
    """``samples`` of the workload (at most as many as it has) in 4 partitions, for the block."""
    with tempfile.TemporaryDirectory(prefix="flink-ol-bench-") as folder:
        stack = Stack(Path(folder) / "broker")
        try:
            servers = stack.up(rest_url=_NO_FLINK).bootstrap_servers
            spec = Spec.model_validate(
                {
                    "name": workload,
                    "kafka": {"bootstrap_servers": servers},
                    "samples": {"partitions": PARTITIONS, "format": encoding},
                }
            )
            ensure_topics(spec)
            made = records(workload, encoding, samples)
            each = samples_each(workload, encoding)
            wanted = min(samples, most(workload, encoding)) // each
            with SampleWriter(Connection(servers, workload)) as writer:
                for start in range(0, wanted, len(made)):
                    writer.send_many(made[: wanted - start])
            file = Path(folder) / "samples"
            file.write_bytes(b"\n".join(made) + b"\n")
            size = sum(map(len, made)) / len(made) / each
            del made
            yield Topic(servers, workload, encoding, wanted * each, wanted, size, file)
        finally:
            stack.down()
