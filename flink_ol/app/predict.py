"""``predict``: requests of a file to the job, answers to standard output in the file's order."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Annotated, Any

import orjson
import typer

from flink_ol.app.cluster import connection, load_spec, make_topics
from flink_ol.app.errors import FAILURE
from flink_ol.app.options import FOLDER, Folder, RecordsPath, SpecPath
from flink_ol.app.progress import messages, record_bar
from flink_ol.app.records import Records
from flink_ol.client import Predictor, UnansweredError

_BLOCK = 4096


def predict(
    spec_path: SpecPath,
    file: RecordsPath,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for answers.")] = 10.0,
    folder: Folder = FOLDER,
) -> None:
    """Ask the running job; prints one JSON answer a line, in the order of the file.

    A request that the job cannot answer gets a line with its "error", and the exit code is 1.
    """
    spec = load_spec(spec_path, folder)
    done = failed = 0
    with Records(file, spec.samples.fields, requests=True) as records, record_bar(records) as bar:
        make_topics(spec)
        with Predictor(connection(spec), timeout_s=timeout) as predictor:
            for lines in records.blocks(_BLOCK, as_they_come=True):
                for answer in _answers(predictor, lines):
                    sys.stdout.buffer.write(orjson.dumps(answer) + b"\n")
                    failed += "error" in answer
                    done += 1
                sys.stdout.flush()
                bar.show(done)
    if failed:
        messages.print(f"{failed:,} of {done:,} requests have no prediction", style="yellow")
        raise typer.Exit(FAILURE)


def _answers(predictor: Predictor, requests: list[bytes]) -> Iterator[dict[str, Any]]:
    """One for each request, as long as they come in time."""
    try:
        yield from predictor.stream(requests)
    except UnansweredError as error:
        for answer in error.answers:  # of those under way: each keeps its line
            yield answer or {"error": "no answer in time"}
        raise
