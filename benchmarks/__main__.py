"""``python -m benchmarks``: all figures; ``python -m benchmarks throughput --help``: one."""

from __future__ import annotations

import os
import platform
from typing import Annotated

import orjson
import typer

from benchmarks import latency, throughput

app = typer.Typer(add_completion=False, no_args_is_help=False)


@app.callback(invoke_without_command=True)
def everything(context: typer.Context) -> None:
    """All figures with their defaults, one JSON line each."""
    if context.invoked_subcommand is None:
        _print({"machine": platform.platform(), "cores": os.cpu_count(), "load": os.getloadavg()})
        throughput_command(10_000_000, 2, 200, 100)
        latency_command(2_000, 20, 2, 100, 50)


@app.command("throughput")
def throughput_command(
    samples: Annotated[int, typer.Option(help="how many to fill the topic with")] = 10_000_000,
    workers: Annotated[int, typer.Option(help="training.workers")] = 2,
    window_ms: Annotated[int, typer.Option(help="training.batch_window_ms")] = 200,
    weights_ms: Annotated[int, typer.Option(help="weights.interval_ms")] = 100,
) -> None:
    """Samples per second from a filled topic."""
    _print(
        {"benchmark": "throughput", **throughput.measure(samples, workers, window_ms, weights_ms)}
    )


@app.command("latency")
def latency_command(
    rate: Annotated[int, typer.Option(help="samples per second meanwhile")] = 2_000,
    seconds: Annotated[int, typer.Option(help="how long to ask")] = 20,
    workers: Annotated[int, typer.Option(help="training.workers")] = 2,
    window_ms: Annotated[int, typer.Option(help="training.batch_window_ms")] = 100,
    weights_ms: Annotated[int, typer.Option(help="weights.interval_ms")] = 50,
) -> None:
    """Time from a request to its prediction."""
    figures = latency.measure(rate, seconds, workers, window_ms, weights_ms)
    _print({"benchmark": "latency", **figures})


def _print(figures: dict[str, object]) -> None:
    typer.echo(orjson.dumps(figures))


if __name__ == "__main__":
    app()
