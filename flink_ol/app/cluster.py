"""Which broker and which cluster a command talks to: the specification, the local stack, options.

An address that the specification gives is taken as it is, with one exception: the default,
127.0.0.1:9092, stands for the broker of the local stack while one runs in the work folder, since
that broker's port is whatever was free.
"""

from __future__ import annotations

import os
from pathlib import Path

from flink_ol.app.errors import FailureError, UsageError
from flink_ol.app.flink_rest import FlinkRest
from flink_ol.client.connection import Connection
from flink_ol.job.problems import SpecError
from flink_ol.job.spec import Spec
from flink_ol.job.topics import ensure_topics
from flink_ol.local.stack_record import StackRecord

DEFAULT_BROKER = "127.0.0.1:9092"
BROKER_VARIABLE = "FLINK_OL_KAFKA"


def load_spec(path: Path, folder: Path) -> Spec:
    """The checked specification, with the broker's address that holds in ``folder``."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder: give a specification, a YAML file")
    if not path.is_file():
        raise UsageError(f"{path} does not exist: `flink-ol init NAME` writes a specification")
    record = StackRecord.read(folder)
    if record is not None:
        os.environ.setdefault(BROKER_VARIABLE, record.bootstrap_servers)
    spec = Spec.load(path)
    if record is not None and spec.kafka.bootstrap_servers == DEFAULT_BROKER:
        kafka = spec.kafka.model_copy(update={"bootstrap_servers": record.bootstrap_servers})
        return spec.model_copy(update={"kafka": kafka})
    return spec


def flink(folder: Path, rest_url: str | None) -> FlinkRest:
    """The cluster of ``rest_url``, or else of the local stack in ``folder``."""
    if rest_url is not None:
        if not rest_url.startswith(("http://", "https://")):
            raise UsageError(f"--rest-url {rest_url}: give it as http://HOST:PORT")
        return FlinkRest(rest_url)
    record = StackRecord.read(folder)
    if record is None:
        raise FailureError(
            f"no local stack in {folder}: start one with `flink-ol up`, name its folder with "
            "--folder, or another cluster with --rest-url"
        )
    return FlinkRest(record.rest_url)


def flink_if_known(folder: Path, rest_url: str | None) -> FlinkRest | None:
    """As :func:`flink`, but None where no cluster is known: for what can do without."""
    if rest_url is None and StackRecord.read(folder) is None:
        return None
    return flink(folder, rest_url)


def connection(spec: Spec) -> Connection:
    """What the client needs to find the job's topics."""
    return Connection(spec.kafka.bootstrap_servers, spec.name, spec.kafka.properties)


def make_topics(spec: Spec) -> None:
    """Make the job's topics where they are missing, as ``run`` does."""
    try:
        ensure_topics(spec)
    except SpecError as error:
        # the specification was found right before: what does not fit is in Kafka
        raise FailureError("; ".join(error.problems)) from error
