"""The workloads: what is streamed, as which bytes, and how ours is told to learn from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from benchmarks import encodings, streams
from benchmarks.streams import Block

ENCODINGS: dict[str, Callable[[Block], list[bytes]]] = {
    "json": encodings.json_records,
    "vw": encodings.vw_records,
    "arrow": encodings.arrow_records,
}


class Workload(NamedTuple):
    """A stream and what there is to know about it."""

    blocks: Callable[[], Iterator[Block]]
    formats: tuple[str, ...]
    distinct: int  # so many different samples, again and again: memory is for the contestants
    most: int  # samples in a topic of text: what a minute needs, on a disk of a few GB
    spec: Mapping[str, Any]  # sections of our specification
    classes: int = 2
    kind: str = "numbers"  # or "sparse", "mixed", "image": how peers prepare it


_SGD = {"optimizer": {"name": "sgd", "learning_rate": 0.005}}
WORKLOADS: dict[str, Workload] = {
    "dense": Workload(streams.dense, ("json", "vw", "arrow"), 2_000_000, 24_000_000, _SGD),
    "flights": Workload(
        streams.flights,
        ("json", "vw", "arrow"),
        327_000,
        3_000_000,
        {"optimizer": {"name": "sgd", "learning_rate": 0.02, "intercept_learning_rate": 0.01}},
        kind="mixed",
    ),
    "a9a-like": Workload(
        streams.a9a_like,
        ("json", "vw", "arrow"),
        1_000_000,
        6_000_000,
        {"optimizer": {"name": "sgd", "learning_rate": 0.02}, "features": {"scale": "none"}},
        kind="sparse",
    ),
    "hashed": Workload(
        streams.hashed,
        ("json", "vw", "arrow"),
        300_000,
        1_500_000,
        {
            "optimizer": {"name": "sgd", "learning_rate": 0.02},
            "features": {"scale": "none", "hash_bits": streams.HASHED_BITS},
        },
        kind="sparse",
    ),
    "images": Workload(
        streams.images,
        ("json", "arrow"),
        4_000,
        40_000,
        {
            "task": "multiclass",
            "classes": streams.IMAGE_CLASSES,
            "model": {"family": "mlp", "hidden": [128], "batch_size": 32},
            "optimizer": {"name": "adam", "learning_rate": 0.001},
        },
        classes=streams.IMAGE_CLASSES,
        kind="image",
    ),
}


def most(name: str, encoding: str) -> int:
    """Samples in a topic at most: Arrow is small, and read several times as fast as text."""
    return WORKLOADS[name].most * (4 if encoding == "arrow" else 1)


def samples_each(name: str, encoding: str) -> int:
    """Samples in a record."""
    if encoding != "arrow":
        return 1
    return encodings.ARROW_IMAGES if WORKLOADS[name].kind == "image" else encodings.ARROW_ROWS


def records(name: str, encoding: str, count: int) -> list[bytes]:
    """Records of the first ``count`` different samples, all of them if there are fewer.

    Whole records: what does not fill the last one is left out.
    """
    workload, each = WORKLOADS[name], samples_each(name, encoding)
    left = min(count, workload.distinct) // each * each
    found: list[bytes] = []
    for block in workload.blocks():
        part = block.first(left)
        found += ENCODINGS[encoding](part)
        left -= len(part.y)
        if left <= 0:
            break
    return found


def dense_json(count: int) -> list[bytes]:
    """``count`` binary samples of 8 numbers with a rule that drifts, about 130 bytes each."""
    found: list[bytes] = []
    for block in streams.dense():
        found += encodings.json_records(block.first(count - len(found)))
        if len(found) >= count:
            break
    return found
