"""Rows gathered into Arrow messages are the samples that were given, in their order."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from flink_ol.client.packing import MOST_ROWS, Packing
from flink_ol.core.config import Learning
from flink_ol.wire.arrow_samples import ArrowFields
from flink_ol.wire.formats import sample_format

DECODER = sample_format("arrow", ArrowFields(), Learning(task="regression"))


class Sent:
    def __init__(self) -> None:
        self.messages: list[tuple[bytes, int]] = []

    def __call__(self, message: bytes, partition: int) -> None:
        self.messages.append((message, partition))

    def labels(self, partition: int) -> list[float]:
        chosen = [message for message, to in self.messages if to == partition]
        samples, rejections = DECODER.decode(chosen, np.arange(len(chosen)))
        assert rejections == []
        found: list[float] = samples.labels.tolist()
        return found


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.fixture
def packing(sent: Sent) -> Iterator[Packing]:
    made = Packing(ArrowFields(), sent, 3600.0)
    yield made
    made.close()


def test_messages_are_full_or_flushed(sent: Sent, packing: Packing) -> None:
    for i in range(MOST_ROWS + 5):
        packing.add({"a": 1.0, "y": i}, 0)
        packing.add({"x": {"a": 2.0}, "y": -i}, 1)
    assert [partition for _, partition in sent.messages] == [0, 1]
    packing.flush()
    assert len(sent.messages) == 4
    assert sent.labels(0) == list(range(MOST_ROWS + 5))
    assert sent.labels(1) == [-i for i in range(MOST_ROWS + 5)]


def test_rows_that_do_not_go_together_are_messages_of_their_own(
    sent: Sent, packing: Packing
) -> None:
    rows: list[dict[str, Any]] = [{"a": 1, "y": 0}, {"a": "red", "y": 1}, {"a": [1, 2], "y": 2}]
    for row in rows:
        packing.add(row, 0)
    packing.flush()
    assert sent.labels(0) == [0, 1, 2]


def test_what_comes_slowly_is_sent_by_time(sent: Sent) -> None:
    packing = Packing(ArrowFields(), sent, 0.01)
    packing.add({"a": 1.0, "y": 3}, 0)
    deadline = time.monotonic() + 20
    while not sent.messages and time.monotonic() < deadline:
        time.sleep(0.01)
    packing.close()
    assert sent.labels(0) == [3]


def test_an_error_in_the_background_is_raised_by_the_next_call() -> None:
    def broken(message: bytes, partition: int) -> None:
        raise RuntimeError("no room")

    packing = Packing(ArrowFields(), broken, 0.0)
    packing.add({"a": 1.0, "y": 3}, 0)
    time.sleep(0.5)
    with pytest.raises(RuntimeError, match="no room"):
        packing.flush()
    packing.close()
