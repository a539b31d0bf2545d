"""Feeding a job beside a test, until a block of the test ends."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import orjson

from tests.running_job import RunningJob, json_records

Over = threading.Event


@contextlib.contextmanager
def fed(job: RunningJob, records: Sequence[bytes], rate: float) -> Iterator[None]:
    """The records again and again; one producer all the time, whose every record comes once."""

    def endless(over: Over) -> Iterator[bytes]:
        for record in itertools.cycle(records):
            if over.is_set():
                return
            yield record

    with _beside(lambda over: job.feed(endless(over), rate)):
        yield


@contextlib.contextmanager
def fed_and_asked(job: RunningJob) -> Iterator[list[int]]:
    """Samples and requests, some hundred a second; the requests' ids."""
    records = json_records(31, 5_000)
    asked: list[int] = []

    def feed(over: Over) -> None:
        with contextlib.closing(job.producer()) as producer:
            while not over.is_set():
                first = sum(job.produced) % len(records)
                job.feed(records[first : first + 100])
                number = len(asked)
                request = {"x": orjson.loads(records[number % 100])["x"], "id": number}
                producer.send(job.spec.topics.requests, orjson.dumps(request)).get(60)
                asked.append(number)
                time.sleep(0.3)

    with _beside(feed):
        yield asked


@contextlib.contextmanager
def _beside(feed: Callable[[Over], None]) -> Iterator[None]:
    """In a thread; what fails there fails the block, at its end."""
    over, failed = Over(), list[BaseException]()

    def run() -> None:
        try:
            feed(over)
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    if failed:
        raise failed[0]
