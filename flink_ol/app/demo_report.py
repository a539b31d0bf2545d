"""What the demo tells: its acts, some answers in words, the comparison and what it all was."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import orjson
from rich.console import Console

from flink_ol.app.demo_questions import Answered, in_words
from flink_ol.app.demo_stream import Streamed
from flink_ol.app.errors import FailureError
from flink_ol.app.figures import rows, words
from flink_ol.app.replay import Replayed
from flink_ol.client import Model
from flink_ol.wire.model_file import encode_snapshot

_COMPARED = 10_000  # last flights on which the two models are compared
_TOLD = 6  # answers in words


class Compared(NamedTuple):
    """The streamed model beside the one of the replay."""

    fed: int
    in_ledger: int
    metrics: dict[str, float]  # of the streamed model
    baselines: dict[str, dict[str, float]]
    replayed: dict[str, float]
    agreeing: float  # share of the last flights to which both give the same answer
    flights: int
    version: int


def compare(model: Model, replayed: Replayed, samples: Sequence[bytes], fed: int) -> Compared:
    """Raises :class:`FailureError` if the model does not hold every sample exactly once."""
    accounts = model.metadata["ledger"].values()
    held = sum(one["count"] + one["rejected"]["count"] for one in accounts)
    if held != fed:
        raise FailureError(f"{fed:,} flights were fed, but {held:,} are in the model's ledger")
    twin = Model.from_bytes(encode_snapshot(replayed.snapshot, replayed.metrics))
    last = [orjson.loads(line)["x"] for line in samples[-_COMPARED:]]
    agreeing = float(np.mean(np.asarray(model.predict(last)) == np.asarray(twin.predict(last))))
    return Compared(
        fed,
        held,
        {name: value for name, value, _ in rows(model.metrics)},
        {name: beside for name, _, beside in rows(model.metrics)},
        {name: value for name, value, _ in rows(replayed.metrics)},
        agreeing,
        len(last),
        model.version.number,
    )


class Teller:
    """Speaks to the console, each act with the time at which it began."""

    def __init__(self, console: Console) -> None:
        self._console, self._began = console, time.monotonic()

    def act(self, title: str) -> None:
        """A new part of the demo."""
        seconds = time.monotonic() - self._began
        self._console.print(f"[dim]{seconds:4.0f} s[/dim]  [bold]{title}[/bold]")

    def fact(self, text: str) -> None:
        """A detail of the present part."""
        self._console.print(f"        {text}", markup=False)

    def answers(self, answered: Sequence[Answered]) -> None:
        """Some of the answers, spread over the year."""
        if not answered:
            return
        waits = sorted(each.wait_ms for each in answered)
        right = sum(each.right for each in answered)
        self.act(f"{len(answered)} questions were asked meanwhile; {right} answers came true")
        self.fact(f"half of the answers came within {waits[len(waits) // 2]:.0f} ms; some of them:")
        step = max(1, len(answered) // _TOLD)
        for each in list(answered)[step - 1 :: step][:_TOLD]:
            self.fact(f"  {each.sample['id'][:10]}  {in_words(each)}")

    def comparison(self, compared: Compared) -> None:
        """The streamed model beside the baselines and the replay."""
        self.fact(
            f"version {compared.version:,}; its ledger holds {compared.in_ledger:,} flights, "
            "every one that was fed, once"
        )
        for name in ("accuracy", "log_loss"):
            beside = ", ".join(
                f"{words(other)} {figure:.4f}" for other, figure in compared.baselines[name].items()
            )
            self.fact(
                f"{words(name):<9} {compared.metrics[name]:.4f}  "
                f"(replay without Kafka and Flink {compared.replayed[name]:.4f}; {beside})"
            )
        self.fact(
            "(replay is one worker after each flight; here two learn side by side, and each hears "
            "of the other's a moment later)"
        )
        self.fact(
            f"on the last {compared.flights:,} flights it answers as the replayed model does in "
            f"{compared.agreeing:.2%} of the cases"
        )

    def summary(self, compared: Compared, streamed: Streamed, seconds: float) -> None:
        """What happened, for someone who has never seen Flink, and how to look further."""
        rate = streamed.sent / streamed.seconds
        versions = compared.version
        right = compared.metrics["accuracy"]
        majority = compared.baselines["accuracy"].get("majority", 0.0)
        self._console.print(
            f"""
[bold]What happened[/bold]
  Every flight was a message in Kafka, a store of streams. Flink, which runs programs over streams
  and brings them back after a failure, handed the messages to two workers. Each flight was first
  predicted and then learned from, so the share of right predictions is an honest one. What the
  workers learned was merged into one model, version after version, and that model went back to
  the workers, answered the questions, and was published to Kafka, where it was read at the end.

  {streamed.sent:,} flights in {streamed.seconds:.0f} s ({rate:,.0f}/s), {versions:,} versions.
  {right:.1%} of the predictions were right; always saying "on time" is right in {majority:.1%}.
  The demo took {seconds:.0f} s.

[bold]How to look further[/bold]
  flink-ol up                                  the same stack, to stay
  flink-ol run jobs/flights.yaml               the same job
  python jobs/flights.py | flink-ol feed jobs/flights.yaml - --rate 2000
  flink-ol watch jobs/flights.yaml             how it learns
  flink-ol snapshot jobs/flights.yaml --out flights.model; flink-ol show flights.model
  flink-ol down
  jobs/flights.yaml and jobs/flights.py are meant to be copied for a stream of your own.
"""
        )
