"""Asking a running job for predictions."""

from __future__ import annotations

import time
import uuid
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

import orjson

from flink_ol.client.connection import Connection
from flink_ol.client.errors import DeliveryError, UnansweredError
from flink_ol.client.producer import Producer
from flink_ol.client.topic_reader import TopicReader
from flink_ol.wire.errors import WireError
from flink_ol.wire.predictions import decode_answer

_POLL_S = 0.1
_STRAY_ANSWERS = 100_000  # answers kept that may belong to a request not acknowledged yet

Place = tuple[int, int]  # partition and offset of a request, which its answer names


class Predictor:
    """Sends requests to ``NAME.requests`` and gives the answers, in the order asked.

    A request is a mapping like a sample without its label, or the bytes of a record; a mapping
    without an id is given one. An answer is the mapping of wire.predictions; one that says that
    its request cannot be answered has ``error`` and is given like any other. Not to be shared
    between threads.

    Raises BrokerUnreachableError, TopicMissingError; UnansweredError after ``timeout_s``.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        timeout_s: float = 30.0,
        window: int = 1000,
        id_field: str = "id",
    ) -> None:
        """``timeout_s``: for each request; ``window``: requests under way at a time."""
        self._timeout_s, self._window, self._id_field = timeout_s, window, id_field
        self._job = connection.job
        self._reader = TopicReader(connection, connection.topics.predictions)
        try:
            self._reader.seek_to_end()
            self._producer = Producer(connection, connection.topics.requests)
        except BaseException:
            self._reader.close()
            raise
        self._next = 0
        self._answers: dict[Place, dict[str, Any]] = {}

    def ask(self, requests: Iterable[Mapping[str, Any] | bytes]) -> list[dict[str, Any]]:
        """The answers. Raises UnansweredError with those that came in time."""
        answers: list[dict[str, Any] | None] = []
        try:
            for answer in self.stream(requests):
                answers.append(answer)
        except UnansweredError as error:
            raise UnansweredError(str(error), answers + error.answers) from None
        return [answer for answer in answers if answer is not None]

    def ask_one(self, request: Mapping[str, Any] | bytes) -> dict[str, Any]:
        """The answer to one request."""
        return self.ask([request])[0]

    def stream(self, requests: Iterable[Mapping[str, Any] | bytes]) -> Iterator[dict[str, Any]]:
        """Answers in the order of the requests, which are taken as there is room for them.

        Raises UnansweredError with the answers to the requests under way.
        """
        under_way: deque[tuple[Any, float]] = deque()  # future of the metadata, time sent
        for request in requests:
            under_way.append((self._send(request), time.monotonic()))
            while len(under_way) >= self._window:
                yield self._await(under_way)
        while under_way:
            yield self._await(under_way)
        self._answers.clear()

    def _send(self, request: Mapping[str, Any] | bytes) -> Any:
        if not isinstance(request, bytes):
            if request.get(self._id_field) is None:
                request = {**request, self._id_field: uuid.uuid4().hex}
            request = orjson.dumps(request, option=orjson.OPT_SERIALIZE_NUMPY)
        partition, self._next = self._next, (self._next + 1) % self._producer.partitions
        return self._producer.send(request, partition)

    def _await(self, under_way: deque[tuple[Any, float]]) -> dict[str, Any]:
        """The answer to the oldest request under way, which then is none any more."""
        future, sent = under_way[0]
        while (answer := self._take(future)) is None:
            self._receive()
            if time.monotonic() - sent > self._timeout_s:
                raise self._unanswered([future for future, _ in under_way])
        under_way.popleft()
        return answer

    def _take(self, future: Any) -> dict[str, Any] | None:
        place = _place(future)
        return None if place is None else self._answers.pop(place, None)

    def _receive(self) -> None:
        for record in self._reader.poll(_POLL_S):
            try:
                answer = decode_answer(record.value)
                place = int(answer["partition"]), int(answer["offset"])
            except (WireError, KeyError, TypeError, ValueError):
                continue  # not an answer to one of ours, which the job wrote
            self._answers[place] = answer
        while len(self._answers) > _STRAY_ANSWERS:
            del self._answers[next(iter(self._answers))]

    def _unanswered(self, futures: list[Any]) -> UnansweredError:
        answers = [self._take(future) for future in futures]
        received = sum(answer is not None for answer in answers)
        return UnansweredError(
            f"{self._job}: {received} of {len(answers)} requests under way were answered within "
            f"{self._timeout_s:g} s; does the job run (`flink-ol status`), and is it keeping up?",
            answers,
        )

    def close(self) -> None:
        """Let go of the connections."""
        self._reader.close()
        self._producer.close(0.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _place(future: Any) -> Place | None:
    """Where the request lies, None while that is not known. Raises DeliveryError."""
    if not future.is_done:
        return None
    if not future.succeeded():
        raise DeliveryError(f"a request has not arrived: {future.exception}; ask again")
    return future.value.partition, future.value.offset
