"""``replay``: the learning core over a file, without Kafka and Flink.

One worker of the streamed job and this command run the same state machines over the same bytes;
they differ in where batches end, which changes nothing but the version's number.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import orjson
import typer

from flink_ol.app.cluster import load_spec
from flink_ol.app.errors import UsageError
from flink_ol.app.figures import metric_lines
from flink_ol.app.options import FOLDER, AsJson, Folder, RecordsPath, SpecPath
from flink_ol.app.progress import RecordBar, messages, record_bar
from flink_ol.app.records import Records
from flink_ol.core.ledger import Account
from flink_ol.core.messages import Snapshot, Version
from flink_ol.core.samples import Rejection
from flink_ol.job.spec import Spec

_BATCH = 4096  # samples: large enough to hide what a batch costs, small enough for the cache
_REPLAYED = "local", "exact"  # modes that with one worker are a plain loop
_SHOWN = 3  # dead letters whose reason is told


class Replayed(NamedTuple):
    """What came of a replay."""

    samples: int  # learned
    dead_letters: int
    version: Version
    metrics: dict[str, Any]
    snapshot: Snapshot
    seconds: float

    def to_json(self) -> dict[str, Any]:
        return {
            "samples": self.samples,
            "dead_letters": self.dead_letters,
            "epoch": self.version.epoch,
            "version": self.version.number,
            "metrics": self.metrics,
        }


def replay(
    spec_path: SpecPath,
    file: RecordsPath,
    out: Annotated[
        Path | None, typer.Option(help="Write the model to this file.", show_default=False)
    ] = None,
    folder: Folder = FOLDER,
    as_json: AsJson = False,
) -> None:
    """Learn from a file without Kafka and Flink: the same numbers as one worker.

    That is one of mode local, or exact; rounds and passes of other modes are not replayed.
    """
    spec = load_spec(spec_path, folder)
    mode = spec.training.mode
    if mode not in _REPLAYED:
        told = f"training.mode {mode} is not replayed: sample by sample instead, as in mode local"
        messages.print(told, style="yellow", markup=False)
    if out is not None and not out.absolute().parent.is_dir():
        raise UsageError(f"--out {out}: the folder {out.absolute().parent} does not exist")
    with Records(file, spec.samples.fields) as records, record_bar(records) as bar:
        dead_letters = DeadLetters(records.name)
        replayed = run(spec, _shown(records, bar), dead_letters.tell)
    if out is not None:
        write_model(replayed, out)
    if as_json:
        typer.echo(orjson.dumps(replayed.to_json()))
        return
    rate = replayed.samples / max(replayed.seconds, 1e-9)
    typer.echo(
        f"{replayed.samples:,} samples in {replayed.seconds:.1f} s ({rate:,.0f}/s), "
        f"{replayed.dead_letters:,} dead letters, version {replayed.version.number:,}"
    )
    for line in metric_lines(replayed.metrics):
        typer.echo(line)
    if out is not None:
        typer.echo(f"model written to {out}; look into it with `flink-ol show {out}`")


def run(
    spec: Spec,
    blocks: Iterable[Sequence[bytes]],
    reject: Callable[[Rejection], None] = lambda rejection: None,
) -> Replayed:
    """Replay the records of ``blocks`` by the specification; partition 0, offsets 0, 1, 2, ..."""
    # numba takes its time to import: not for commands that do without
    from flink_ol.core.evaluation import metrics
    from flink_ol.core.learner import Learner
    from flink_ol.core.loop import Loop
    from flink_ol.core.start import start_of
    from flink_ol.job.start_model import start_model
    from flink_ol.wire.formats import sample_format
    from flink_ol.wire.model_file import decode_snapshot

    learning = spec.learning
    decoder = sample_format(spec.samples.format, spec.samples.fields, learning)
    start = start_model(spec)
    begun = None if start is None else start_of(decode_snapshot(start))
    learner = Learner(learning, spec.metrics.evaluation, begun)
    loop = Loop(learner, spec.name, spec.hash, lambda: int(time.time() * 1000))
    offset = 0
    began = time.monotonic()
    for payloads in blocks:
        offsets = np.arange(offset, offset + len(payloads), dtype=np.int64)
        offset += len(payloads)
        for samples, rejections in decoder.parts(payloads, offsets):
            for rejection in loop.batch(0, samples, rejections):
                reject(rejection)
    seconds = time.monotonic() - began
    snapshot = loop.snapshot()
    figures = metrics(snapshot.sums, learning, snapshot.recent) if snapshot.sums else {}
    account = snapshot.ledger.get(0, Account())
    return Replayed(
        account.samples,
        account.dead_letters,
        snapshot.frame.version,
        figures,
        snapshot,
        seconds,
    )


def write_model(replayed: Replayed, path: Path) -> None:
    """The model as a file, as the job publishes it."""
    from flink_ol.wire.model_file import encode_snapshot

    path.write_bytes(encode_snapshot(replayed.snapshot, replayed.metrics))


def _shown(records: Records, bar: RecordBar) -> Iterator[list[bytes]]:
    done = 0
    for block in records.blocks(_BATCH):
        yield block
        done += len(block)
        bar.show(done)


class DeadLetters:
    """Tells why the first records could not be learned from, on standard error."""

    def __init__(self, name: str) -> None:
        self._name, self._told = name, 0

    def tell(self, rejection: Rejection) -> None:
        self._told += 1
        if self._told <= _SHOWN:
            place = f"{self._name} record {rejection.offset + 1}"
            messages.print(f"{place}: {rejection.reason}", style="yellow", markup=False)
        elif self._told == _SHOWN + 1:
            messages.print("further dead letters are only counted", style="yellow")
