"""``python -m benchmarks suite``, and the other figures; ``--help`` after each command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import orjson
import typer

from benchmarks import (
    budget,
    compression,
    frame_bytes,
    guard,
    images,
    large_model,
    latency,
    merging,
    merging_report,
    report,
    suite,
    throughput,
)
from benchmarks.contestants import NAMES
from benchmarks.environments import ROOT
from benchmarks.marks import Limits
from benchmarks.workloads import WORKLOADS

app = typer.Typer(add_completion=False, no_args_is_help=True)
_RESULTS = ROOT / "benchmarks" / "results"
_PAGE = ROOT / "benchmarks" / "README.md"

Out = Annotated[Path, typer.Option(help="folder of runs, tables and plots")]
Workers = Annotated[int, typer.Option(help="training.workers")]
# of those that replay a stream without a cluster
Replayed = Annotated[str, typer.Option(help="NAME, or a path of lines of x and y, gzip or not")]
Interval = Annotated[int, typer.Option(help="samples in an update")]
OfStream = Annotated[int, typer.Option(help="of the stream, at most")]
Late = Annotated[
    int, typer.Option(min=0, help="batches that a worker learns before weights are back")
]


@app.command("suite")
def suite_command(
    workloads: Annotated[
        str, typer.Option(help="with commas; NAME is all its formats, NAME:FORMAT is one")
    ] = ",".join(WORKLOADS),
    contestants: Annotated[
        str, typer.Option(help="with commas; also ours-WORKERS-MODE")
    ] = ",".join(NAMES),
    rounds: Annotated[int, typer.Option(help="of all contestants")] = 5,
    samples: Annotated[int, typer.Option(help="in the topic, at most")] = 40_000_000,
    warm_up: Annotated[float, typer.Option(help="seconds that are not counted, on Flink")] = 20.0,
    seconds: Annotated[float, typer.Option(help="seconds that are counted")] = 15.0,
    timeout: Annotated[float, typer.Option(help="seconds after which a run has failed")] = 120.0,
    minutes: Annotated[float, typer.Option(help="after these no run is begun")] = 600.0,
    smoke: Annotated[bool, typer.Option(help="mark the figures as no figures")] = False,
    page: Annotated[bool, typer.Option(help="write the tables into benchmarks/README.md")] = False,
    out: Out = _RESULTS,
) -> None:
    """Rounds of all contestants; what is in the folder already is not run again."""
    names = tuple(contestants.split(","))
    for name in names:
        if name not in NAMES and not name.startswith("ours-"):
            raise typer.BadParameter(f"{name!r}; there are {', '.join(NAMES)}")
    plan = suite.Plan(
        contests=contests(workloads),
        contestants=names,
        rounds=rounds,
        samples=samples,
        limits=Limits(warm_up, seconds, timeout),
        minutes=minutes,
        smoke=smoke,
    )
    suite.run(plan, out, typer.echo)
    typer.echo(report.write(out, _PAGE if page else None))


@app.command("report")
def report_command(
    page: Annotated[bool, typer.Option(help="write the tables into benchmarks/README.md")] = False,
    out: Out = _RESULTS,
) -> None:
    """Tables and plots of the runs there are."""
    typer.echo(report.write(out, _PAGE if page else None))


@app.command("guard")
def guard_command(
    samples: Annotated[int, typer.Option(help="in the topic")] = 3_000_000,
    warm_up: Annotated[float, typer.Option(help="seconds that are not counted")] = 15.0,
    seconds: Annotated[float, typer.Option(help="seconds that are counted")] = 10.0,
    least: Annotated[float, typer.Option(help="ours must be so many times as fast")] = 5.0,
) -> None:
    """Warn if our job is not clearly faster than the obvious PyFlink job in the same run."""
    _print(guard.compare(samples, Limits(warm_up, seconds), least))


@app.command("budget")
def budget_command(
    workload: Annotated[str, typer.Option(help="NAME:FORMAT")] = "dense:json",
    samples: Annotated[int, typer.Option(help="in the topic")] = 40_000_000,
    workers: Workers = 2,
    window_ms: Annotated[int, typer.Option(help="training.batch_window_ms")] = 200,
    weights_ms: Annotated[int, typer.Option(help="weights.interval_ms")] = 100,
    batch: Annotated[int, typer.Option(help="samples in an update, alone")] = 10_000,
    warm_up: Annotated[float, typer.Option(help="seconds that are not counted")] = 20.0,
    seconds: Annotated[float, typer.Option(help="seconds that are counted")] = 10.0,
    smoke: Annotated[bool, typer.Option(help="mark the figures as no figures")] = False,
    out: Out = _RESULTS,
) -> None:
    """What each stage costs a sample: alone, in the running job, and at least."""
    (contest,) = contests(workload)
    limits = Limits(warm_up, seconds)
    typer.echo(
        budget.measure(
            budget.Plan(*contest, samples, workers, window_ms, weights_ms, batch, limits, smoke),
            out,
            lambda text: typer.echo(text, err=True),
        )
    )


@app.command("throughput")
def throughput_command(
    samples: Annotated[int, typer.Option(help="how many to fill the topic with")] = 10_000_000,
    workers: Workers = 2,
    window_ms: Annotated[int, typer.Option(help="training.batch_window_ms")] = 200,
    weights_ms: Annotated[int, typer.Option(help="weights.interval_ms")] = 100,
) -> None:
    """Samples per second of our job alone, with a broker of its own."""
    _print(
        {"benchmark": "throughput", **throughput.measure(samples, workers, window_ms, weights_ms)}
    )


@app.command("latency")
def latency_command(
    rate: Annotated[int, typer.Option(help="samples per second meanwhile")] = 2_000,
    seconds: Annotated[int, typer.Option(help="how long to ask")] = 20,
    workers: Workers = 2,
    window_ms: Annotated[int, typer.Option(help="training.batch_window_ms")] = 100,
    weights_ms: Annotated[int, typer.Option(help="weights.interval_ms")] = 50,
) -> None:
    """Time from a request to its prediction."""
    figures = latency.measure(rate, seconds, workers, window_ms, weights_ms)
    _print({"benchmark": "latency", **figures})


@app.command("large-model")
def large_model_command(
    merges: Annotated[int, typer.Option(help="that are counted, of each size")] = 200,
) -> None:
    """Merges per second and bytes per frame of 2^20 and 2^22 features, in one process."""
    for figures in large_model.figures(merges):
        _print({"benchmark": "large-model", **figures})


@app.command("images")
def images_command(
    workers: Annotated[str, typer.Option(help="training.workers, with commas")] = "2,8",
    each: Annotated[int, typer.Option(help="images of a class, about")] = 1000,
    hidden: Annotated[str, typer.Option(help="units of the hidden layers, with commas")] = "128",
    dropout: Annotated[float, typer.Option(help="of every hidden layer")] = 0.2,
    window_ms: Annotated[int, typer.Option(help="training.batch_window_ms")] = 1_000,
    contrast: Annotated[float, typer.Option(help="of the pictures under their noise")] = 0.25,
    images_each: Annotated[int, typer.Option(help="in an Arrow message")] = 20,
) -> None:
    """100 classes of images of 32 x 32 x 3 through Kafka and Flink into one network."""
    layers = tuple(map(int, hidden.split(",")))
    for count in map(int, workers.split(",")):
        settings = layers, dropout, window_ms, contrast, images_each
        plan = images.Plan(count, 100 * each, *settings)
        figures = images.measure(plan, lambda text: typer.echo(text, err=True))
        _print({"benchmark": "images", **figures})


@app.command("compression")
def compression_command(
    workload: Replayed = "hashed",
    workers: Workers = 2,
    interval: Interval = 500,
    samples: OfStream = 60_000,
    late: Late = 1,
) -> None:
    """Bytes an update and log loss for each training.compression, without a cluster."""
    plan = compression.Plan(workload, workers, interval, samples, late)
    typer.echo(compression.table(plan, lambda text: typer.echo(text, err=True)))


@app.command("frames")
def frames_command(
    workload: Replayed = "hashed",
    workers: Workers = 2,
    interval: Interval = 500,
    samples: OfStream = 30_000,
    late: Late = 1,
) -> None:
    """Bytes a weights frame and log loss for each weights.numbers, without a cluster."""
    plan = compression.Plan(workload, workers, interval, samples, late)
    typer.echo(frame_bytes.table(plan, lambda text: typer.echo(text, err=True)))


@app.command("merging")
def merging_command(
    workload: Replayed = "flights",
    workers: Annotated[str, typer.Option(help="numbers with commas")] = "1,2,4,8",
    interval: Annotated[str, typer.Option(help="samples a merge, with commas")] = "50,500,5000",
    optimizers: Annotated[str, typer.Option(help="with commas")] = ",".join(merging.OPTIMIZERS),
    samples: OfStream = 50_000,
    late: Late = 0,
    plots: Annotated[bool, typer.Option(help="draw the curves too")] = True,
    out: Out = _RESULTS,
) -> None:
    """Accuracy of mode local by workers, samples a merge and optimizer, without a cluster."""
    chosen = tuple(optimizers.split(","))
    for name in chosen:
        if name not in merging.OPTIMIZERS:
            raise typer.BadParameter(f"{name!r}; there are {', '.join(merging.OPTIMIZERS)}")
    if workload not in WORKLOADS and not Path(workload).is_file():
        raise typer.BadParameter(f"{workload!r} is no file, nor among {', '.join(WORKLOADS)}")
    curves = merging.Curves(workload, numbers(workers), numbers(interval), chosen, samples, late)
    typer.echo(merging_report.make(curves, out, lambda text: typer.echo(text, err=True), plots))


def numbers(text: str) -> tuple[int, ...]:
    """The positive whole numbers that ``text`` lists with commas."""
    found = text.split(",")
    if not all(each.strip().isdecimal() and int(each) > 0 for each in found):
        raise typer.BadParameter(f"{text!r}; numbers above 0 with commas between")
    return tuple(int(each) for each in found)


def contests(text: str) -> tuple[tuple[str, str], ...]:
    """The workloads and formats that ``text`` names."""
    found: list[tuple[str, str]] = []
    for each in text.split(","):
        name, _, encoding = each.partition(":")
        if name not in WORKLOADS:
            raise typer.BadParameter(f"{name!r}; there are {', '.join(WORKLOADS)}")
        formats = WORKLOADS[name].formats
        if encoding and encoding not in formats:
            raise typer.BadParameter(f"{each!r}; {name} is written as {', '.join(formats)}")
        found += [(name, encoding)] if encoding else [(name, each_one) for each_one in formats]
    return tuple(dict.fromkeys(found))


def _print(figures: dict[str, object]) -> None:
    typer.echo(orjson.dumps(figures))


if __name__ == "__main__":
    app()
