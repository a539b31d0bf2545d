"""Asking a running job for predictions."""

from __future__ import annotations

import time
import uuid
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import orjson

from flink_ol.client.closing import Closing
from flink_ol.client.connection import Connection
from flink_ol.client.errors import UnansweredError
from flink_ol.client.producer import Producer, Receipt
from flink_ol.client.topic_reader import TopicReader
from flink_ol.wire.errors import WireError
from flink_ol.wire.predictions import decode_answer

_POLL_S = 0.1
_STRAY_ANSWERS = 100_000  # answers kept that may belong to a request not acknowledged yet

Place = tuple[int, int]  # partition and offset of a request, which its answer names


class _Asked(NamedTuple):
    """A request under way."""

    receipt: Receipt
    time_s: float


class Predictor(Closing):
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
        window: int = 2000,
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
            raise self._unanswered(answers + error.answers) from None
        return [answer for answer in answers if answer is not None]

    def ask_one(self, request: Mapping[str, Any] | bytes) -> dict[str, Any]:
        """The answer to one request."""
        return self.ask([request])[0]

    def stream(self, requests: Iterable[Mapping[str, Any] | bytes]) -> Iterator[dict[str, Any]]:
        """Answers in the order of the requests, which are taken as there is room for them.

        Raises UnansweredError with the answers to the requests under way.
        """
        under_way: deque[_Asked] = deque()
        try:
            for request in requests:
                under_way.append(_Asked(self._send(request), time.monotonic()))
                if len(under_way) >= self._window:
                    # half at a time, so that requests leave together and not one by one
                    while len(under_way) > self._window // 2:
                        yield self._await(under_way)
            while under_way:
                yield self._await(under_way)
        finally:
            self._answers.clear()

    def _send(self, request: Mapping[str, Any] | bytes) -> Receipt:
        if not isinstance(request, bytes):
            if request.get(self._id_field) is None:
                request = {**request, self._id_field: uuid.uuid4().hex}
            request = orjson.dumps(request, option=orjson.OPT_SERIALIZE_NUMPY)
        partition, self._next = self._next, (self._next + 1) % self._producer.partitions
        return self._producer.send(request, partition)

    def _await(self, under_way: deque[_Asked]) -> dict[str, Any]:
        """The answer to the oldest request under way, which then is none any more."""
        asked = under_way[0]
        if (answer := self._take(asked)) is None:
            self._producer.seal()
        while answer is None:
            late = time.monotonic() - asked.time_s > self._timeout_s
            self._receive()  # also when late: the answer may be there, and nobody have looked
            answer = self._take(asked)
            if late and answer is None:
                raise self._unanswered([self._take(asked) for asked in under_way])
        under_way.popleft()
        return answer

    def _take(self, asked: _Asked) -> dict[str, Any] | None:
        offset = asked.receipt.offset
        if offset is None:
            return None
        return self._answers.pop((asked.receipt.partition, offset), None)

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

    def _unanswered(self, answers: list[dict[str, Any] | None]) -> UnansweredError:
        received = sum(answer is not None for answer in answers)
        return UnansweredError(
            f"{self._job}: {received} of {len(answers)} requests were answered, each within "
            f"{self._timeout_s:g} s; does the job run (`flink-ol status`), and is it keeping up?",
            answers,
        )

    def close(self) -> None:
        """Let go of the connections."""
        self._reader.close()
        self._producer.close(0.0)
