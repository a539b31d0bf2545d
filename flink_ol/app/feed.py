"""``feed``: records of a file to the samples topic, as they are."""

from __future__ import annotations

import time
from typing import Annotated

import orjson
import typer

from flink_ol.app.cluster import connection, load_spec, make_topics
from flink_ol.app.errors import UsageError
from flink_ol.app.options import FOLDER, AsJson, Folder, RecordsPath, SpecPath
from flink_ol.app.progress import record_bar
from flink_ol.app.records import STANDARD_INPUT, Records
from flink_ol.client import SampleWriter

_BLOCK = 8192  # records between two looks at the bar, at most


def feed(
    spec_path: SpecPath,
    file: RecordsPath,
    rate: Annotated[
        float | None,
        typer.Option(
            min=0.001, help="Records per second; default: as fast as it goes.", show_default=False
        ),
    ] = None,
    repeat: Annotated[int, typer.Option(min=1, help="How often to send the whole file.")] = 1,
    partition: Annotated[
        int | None,
        typer.Option(
            min=0, help="Send to this partition; default: to all in turn.", show_default=False
        ),
    ] = None,
    folder: Folder = FOLDER,
    as_json: AsJson = False,
) -> None:
    """Send records, one a line or batches of Arrow, to the samples topic of the job."""
    spec = load_spec(spec_path, folder)
    if repeat > 1 and file == STANDARD_INPUT:
        raise UsageError("--repeat: standard input can be read only once: give a file")
    if partition is not None and partition >= spec.samples.partitions:
        raise UsageError(
            f"--partition {partition}: samples.partitions is {spec.samples.partitions}, "
            f"so give 0 to {spec.samples.partitions - 1}"
        )
    Records(file).close()  # a missing file is told before anything is made in Kafka
    make_topics(spec)
    block = _BLOCK if rate is None else max(1, min(_BLOCK, int(rate / 5)))
    began = time.monotonic()
    with SampleWriter(connection(spec), rate=rate) as writer:
        for passed in range(repeat):
            with Records(file, spec.samples.fields) as records, record_bar(records, repeat) as bar:
                for lines in records.blocks(block, as_they_come=True):
                    writer.send_many(lines, partition)
                    bar.show(writer.sent, passed)
        writer.flush()
        sent = writer.acknowledged
    seconds = time.monotonic() - began
    if as_json:
        typer.echo(
            orjson.dumps({"samples": sent, "seconds": seconds, "topic": spec.topics.samples})
        )
        return
    typer.echo(
        f"{sent:,} records to {spec.topics.samples} in {seconds:.1f} s ({sent / seconds:,.0f}/s)"
    )
