"""The client against a real broker: what is sent arrives once, what is there is read."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from flink_ol.client import (
    BrokerUnreachableError,
    ClientError,
    Connection,
    DeadLetterReader,
    DeliveryError,
    MetricsReader,
    NoSnapshotError,
    Predictor,
    SampleWriter,
    SnapshotReader,
    TopicMissingError,
    UnansweredError,
    send_command,
)
from flink_ol.client.producer import Producer
from flink_ol.client.topic_reader import TopicReader
from flink_ol.core.messages import Version
from flink_ol.job.spec import Spec, SpecError
from flink_ol.job.topics import ensure_topics, topic_settings
from flink_ol.local.ports import free_ports
from flink_ol.wire.arrow_samples import ArrowFields
from flink_ol.wire.control import decode_command
from flink_ol.wire.dead_letters import encode_dead_letter
from flink_ol.wire.errors import WireError
from flink_ol.wire.model_file import snapshot_key
from flink_ol.wire.parts import split
from tests.client.trained import BINARY, file_of, learning_of, records_of, snapshot_of


def _spec(bootstrap_servers: str, name: str, partitions: int = 3) -> Spec:
    return Spec.model_validate(
        {
            "name": name,
            "kafka": {"bootstrap_servers": bootstrap_servers, "partitions": 2},
            "samples": {"partitions": partitions},
        }
    )


@pytest.fixture
def connection(bootstrap_servers: str, job_name: str) -> Connection:
    """To a job whose topics are there, and nothing in them."""
    ensure_topics(_spec(bootstrap_servers, job_name))
    return Connection(bootstrap_servers, job_name)


def _records(connection: Connection, topic: str) -> dict[int, list[Any]]:
    """By partition, as another client reads them."""
    found: dict[int, list[Any]] = {}
    with TopicReader(connection, topic) as reader:
        reader.seek_to_start()
        for record in reader.present():
            found.setdefault(record.partition, []).append(record)
    return found


# ---- topics


def test_topics_are_made_once_with_their_settings(bootstrap_servers: str, job_name: str) -> None:
    spec = _spec(bootstrap_servers, job_name)
    assert ensure_topics(spec) == [topic.name for topic in topic_settings(spec)]
    assert ensure_topics(spec) == []
    consumer = KafkaConsumer(bootstrap_servers=bootstrap_servers)
    with contextlib.closing(consumer):
        counts = {t.name: len(consumer.partitions_for_topic(t.name)) for t in topic_settings(spec)}
    assert counts == {t.name: t.partitions for t in topic_settings(spec)}


def test_another_number_of_partitions_is_refused(bootstrap_servers: str, job_name: str) -> None:
    ensure_topics(_spec(bootstrap_servers, job_name, partitions=3))
    with pytest.raises(SpecError, match=r"samples.partitions: 4 is not allowed.*has 3.*give 3"):
        ensure_topics(_spec(bootstrap_servers, job_name, partitions=4))


def test_a_missing_broker_is_named() -> None:
    (port,) = free_ports(1)
    address = f"127.0.0.1:{port}"
    with pytest.raises(SpecError, match=f"no Kafka broker answers at {address}"):
        ensure_topics(_spec(address, "nowhere"))
    for open_client in (SnapshotReader, SampleWriter):
        with pytest.raises(BrokerUnreachableError, match=address):
            open_client(Connection(address, "nowhere"))


def test_a_missing_topic_is_named_and_not_made(bootstrap_servers: str, job_name: str) -> None:
    connection = Connection(bootstrap_servers, job_name)
    for open_client in (SnapshotReader, SampleWriter, Predictor, MetricsReader, DeadLetterReader):
        with pytest.raises(TopicMissingError, match=f"{job_name}.*flink-ol run"):
            open_client(connection)
    with pytest.raises(TopicMissingError, match=f"{job_name}.control"):
        send_command(connection, "snapshot")


# ---- samples


def test_samples_arrive_once_in_turn_and_in_order(connection: Connection) -> None:
    lines = [b'{"x":{"a":%d},"y":1}' % i for i in range(5000)]
    with SampleWriter(connection) as writer:
        writer.send(lines[0])
        writer.send_many(lines[1:2001])
        writer.send_many(iter(lines[2001:4000]))
        for line in lines[4000:]:
            writer.send(line)
        writer.flush()
        assert writer.sent == writer.acknowledged == len(lines)
        counts = dict(writer.by_partition)
    found = _records(connection, connection.topics.samples)
    assert {p: len(records) for p, records in found.items()} == counts
    for partition, records in found.items():
        assert [record.value for record in records] == lines[partition::3]
        assert [record.offset for record in records] == list(range(len(records)))


@pytest.mark.parametrize("compress", [False, True])
def test_mappings_and_arrays_become_json_records(connection: Connection, compress: bool) -> None:
    with SampleWriter(connection, compress=compress) as writer:
        writer.send({"x": {"a": np.float64(0.5)}, "y": True}, partition=2)
        writer.send_arrays(np.array([[1.0, np.nan]]), np.array([1]), np.array([3.0]), partition=2)
    (records,) = _records(connection, connection.topics.samples).values()
    assert [orjson.loads(record.value) for record in records] == [
        {"x": {"a": 0.5}, "y": True},
        {"x": [1.0, None], "y": 1, "w": 3.0},
    ]


def test_with_arrow_s_fields_mappings_and_arrays_are_packed(connection: Connection) -> None:
    X = np.arange(4400.0).reshape(2200, 2)
    with SampleWriter(connection, fields=ArrowFields(), linger_ms=60_000) as writer:
        writer.send_many([{"x": {"a": i}, "y": 1} for i in range(30)], partition=2)
        assert writer.send_arrays(X, np.ones(2200), np.full(2200, 3.0), partition=2) == 2200
    (records,) = _records(connection, connection.topics.samples).values()
    tables = [pa.ipc.open_stream(record.value).read_all() for record in records]
    assert [table.num_rows for table in tables] == [30, 1000, 1000, 200]
    assert tables[0].to_pylist() == [{"a": i, "y": 1} for i in range(30)]
    assert [x for table in tables[1:] for x in table["x"].to_pylist()] == X.tolist()
    assert set(tables[1]["w"].to_pylist()) == {3.0}


def test_a_key_chooses_the_partition_that_other_clients_choose(connection: Connection) -> None:
    keys = [b"key-%d" % i for i in range(40)]
    topic = connection.topics.samples
    with SampleWriter(connection) as writer:
        for key in keys:
            writer.send(b"{}", key=key)
    ours = {r.key: p for p, records in _records(connection, topic).items() for r in records}
    producer = KafkaProducer(bootstrap_servers=connection.bootstrap_servers)
    with contextlib.closing(producer):
        theirs = {key: producer.send(topic, b"{}", key=key).get(10).partition for key in keys}
    assert ours == theirs
    assert len(set(ours.values())) == 3


def test_a_lone_sample_leaves_after_the_linger(connection: Connection) -> None:
    with SampleWriter(connection, linger_ms=10) as writer:
        writer.send(b"{}")
        with TopicReader(connection, connection.topics.samples) as reader:
            reader.seek_to_start()
            assert next(reader.follow(timeout_s=20)).value == b"{}"


def test_large_samples_arrive_and_too_large_ones_are_refused(connection: Connection) -> None:
    sizes = (8 << 20, 3 << 20, 10)
    with SampleWriter(connection) as writer:
        writer.send_many([b"x" * size for size in sizes], partition=0)
        with pytest.raises(ValueError, match="at most"):
            writer.send(b"x" * ((8 << 20) + 1))
    (records,) = _records(connection, connection.topics.samples).values()
    assert tuple(len(record.value) for record in records) == sizes


def test_properties_of_the_connection_reach_every_client(connection: Connection) -> None:
    properties: dict[str, Any] = {"request.timeout.ms": 20_000, "client.id": "mine", "linger.ms": 3}
    known = Connection(connection.bootstrap_servers, connection.job, properties)
    with SampleWriter(known) as writer, MetricsReader(known) as metrics:
        writer.send(b"{}")
        assert metrics.latest() is None


def test_a_rate_is_kept(connection: Connection) -> None:
    with SampleWriter(connection, rate=1000) as writer:
        began = time.monotonic()
        writer.send_many([b"{}"] * 500)
        assert 0.45 < time.monotonic() - began < 1.5


def test_a_partition_that_is_not_there_is_refused(connection: Connection) -> None:
    with SampleWriter(connection) as writer:
        with pytest.raises(ValueError, match="partition: 3 is not allowed; give 0 to 2"):
            writer.send(b"{}", partition=3)
        with pytest.raises(ValueError, match="partition: -1"):
            writer.send_many([b"{}"], partition=-1)


def test_what_kafka_refuses_is_an_error_and_not_forgotten(
    connection: Connection, new_topic: Callable[..., str]
) -> None:
    topic = new_topic("narrow", **{"max.message.bytes": "2000"})
    with contextlib.closing(Producer(connection, topic)) as producer:
        receipt = producer.send(b"x" * 5000, 0)
        with pytest.raises(DeliveryError, match=rf"{topic}.*0 of 1"):
            producer.flush(20)
        with pytest.raises(DeliveryError):
            _ = receipt.offset
        with pytest.raises(DeliveryError):
            producer.send(b"later", 0)


# ---- snapshots


class _Snapshots:
    """Writes snapshots as the job does: keyed parts in transactions."""

    def __init__(self, connection: Connection) -> None:
        self._topic = connection.topics.snapshots
        self._ends = [connection.consumer(committed) for committed in (True, False)]
        learning = learning_of(BINARY)
        self._snapshot = snapshot_of(learning, records_of(learning))
        self._producer = KafkaProducer(
            bootstrap_servers=connection.bootstrap_servers,
            transactional_id=f"{connection.job}-snapshots",
        )
        self._producer.init_transactions()

    def publish(self, number: int, end: str = "commit", parts: slice = slice(None)) -> bytes:
        """Of the file's parts those given; ``end``: commit, abort, or open."""
        version = Version(7, number)
        data = file_of(self._snapshot, version)
        self._producer.begin_transaction()
        for part, content in list(enumerate(split(data, 1000)))[parts]:
            key = snapshot_key(version, part)
            self._producer.send(self._topic, content, key=key, partition=0)
        self.end(end)
        return data

    def retract(self, number: int, parts: int) -> None:
        self._producer.begin_transaction()
        for part in range(parts):
            key = snapshot_key(Version(7, number), part)
            self._producer.send(self._topic, None, key=key, partition=0)
        self.end("commit")

    def end(self, end: str) -> None:
        self._producer.flush()
        if end == "commit":
            self._producer.commit_transaction()
        elif end == "abort":
            self._producer.abort_transaction()
        if end != "open":
            self._await_marker()

    def _await_marker(self) -> None:
        """The broker answers before the end of a transaction shows."""
        place = TopicPartition(self._topic, 0)
        deadline = time.monotonic() + 20
        while len({consumer.end_offsets([place])[place] for consumer in self._ends}) > 1:
            assert time.monotonic() < deadline, "the transaction does not end"
            time.sleep(0.02)

    def close(self) -> None:
        self._producer.close(0)
        for consumer in self._ends:
            consumer.close()


@pytest.fixture
def snapshots(connection: Connection) -> Iterator[_Snapshots]:
    with contextlib.closing(_Snapshots(connection)) as written:
        yield written


def test_the_newest_whole_committed_snapshot_is_read(
    connection: Connection, snapshots: _Snapshots
) -> None:
    with SnapshotReader(connection) as reader:
        with pytest.raises(NoSnapshotError, match="next checkpoint"):
            reader.latest()
        first = snapshots.publish(1)
        assert reader.latest().to_bytes() == first
        second = snapshots.publish(2)
        snapshots.publish(3, end="abort")
        assert reader.latest().to_bytes() == second
        snapshots.publish(4, parts=slice(0, -1))
        assert reader.latest().version == (7, 2)
        snapshots.publish(5, end="open")
        assert reader.latest().version == (7, 2)
        assert reader.versions() == [(7, 1), (7, 2)]
        snapshots.end("commit")
        assert reader.latest().version == (7, 5)


def test_a_snapshot_is_read_by_its_version(connection: Connection, snapshots: _Snapshots) -> None:
    files = [snapshots.publish(number) for number in (1, 2, 3)]
    with SnapshotReader(connection) as reader:
        assert reader.get((7, 2)).to_bytes() == files[1]
        snapshots.retract(2, len(list(split(files[1], 1000))))
        with pytest.raises(NoSnapshotError, match=r"no snapshot 7.2; there are 7.1, 7.3"):
            reader.get((7, 2))
        assert reader.versions() == [(7, 1), (7, 3)]
        assert reader.latest().version == (7, 3)


def test_snapshots_are_followed_as_they_appear(
    connection: Connection, snapshots: _Snapshots
) -> None:
    snapshots.publish(1)
    snapshots.publish(2)
    with SnapshotReader(connection) as reader:
        latest = reader.follow(timeout_s=20)
        assert next(latest).version == (7, 2)
        snapshots.publish(3)
        snapshots.publish(4)
        assert [next(latest).version.number for _ in range(2)] == [3, 4]
        every = reader.follow(timeout_s=2, start="earliest")
        assert [model.version.number for model in every] == [1, 2, 3, 4]
        assert list(reader.follow(timeout_s=0.5, start="new")) == []
        with pytest.raises(ValueError, match="give latest, earliest or new"):
            next(reader.follow(start="oldest"))


def test_a_snapshot_far_from_the_end_is_found(
    connection: Connection, snapshots: _Snapshots
) -> None:
    snapshots.publish(1)
    for number in range(2, 30):
        snapshots.publish(number, parts=slice(0, 1))
    with SnapshotReader(connection) as reader:
        assert reader.latest().version == (7, 1)


def test_a_damaged_snapshot_is_named_with_its_offset(
    connection: Connection, snapshots: _Snapshots
) -> None:
    snapshots.publish(1)
    with Producer(connection, connection.topics.snapshots) as producer:
        producer.send(b"no part of anything, whatever it may say of itself", 0, b"7.2.0")
    with SnapshotReader(connection) as reader:
        with pytest.raises(ClientError, match=rf"{connection.job}.snapshots offset \d+: part"):
            reader.latest()
        assert reader.get((7, 1)).version == (7, 1)


# ---- predictions


class _Answering(threading.Thread):
    """Stands in for the job: answers every request but those with the id ``skip``."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(daemon=True)
        self._connection = connection
        self._reader = TopicReader(connection, connection.topics.requests)
        self._reader.seek_to_start()
        self.ended = threading.Event()

    def run(self) -> None:
        topics = self._connection.topics
        with self._reader, Producer(self._connection, topics.predictions, linger_ms=1) as answers:
            while not self.ended.is_set():
                for record in self._reader.poll(0.1):
                    self._answer(record, answers)

    def _answer(self, record: Any, answers: Producer) -> None:
        fields: dict[str, Any] = {"partition": record.partition, "offset": record.offset}
        try:
            fields["id"] = orjson.loads(record.value).get("id")
            fields["prediction"] = fields["id"]
        except orjson.JSONDecodeError:
            fields |= {"id": None, "error": "not JSON"}
        if fields["id"] == "skip":
            return
        # at least once, and in no order that anyone could rely on
        for _ in range(2):
            answers.send(orjson.dumps(fields), record.offset % 2)


@pytest.fixture
def answering(connection: Connection) -> Iterator[None]:
    thread = _Answering(connection)
    thread.start()
    yield
    thread.ended.set()
    thread.join()


@pytest.mark.usefixtures("answering")
def test_answers_come_in_the_order_asked(connection: Connection) -> None:
    with Predictor(connection, timeout_s=30, window=50) as predictor:
        ids = list(range(333))
        answers = predictor.ask({"id": i, "x": {}} for i in ids)
        assert [answer["prediction"] for answer in answers] == ids
        assert predictor.ask_one({"id": "one", "x": {}})["prediction"] == "one"
        assert predictor.ask([]) == []


@pytest.mark.usefixtures("answering")
def test_equal_ids_do_not_mix_answers_up(connection: Connection) -> None:
    with (
        Predictor(connection, timeout_s=30) as predictor,
        Predictor(connection, timeout_s=30) as other,
    ):
        answers = predictor.ask([{"id": 1, "x": {}}] * 3 + [{"x": {}}])
        others = other.ask([{"id": 1, "x": {}}])
    places = {(answer["partition"], answer["offset"]) for answer in answers + others}
    assert len(places) == 5
    assert len({answer["id"] for answer in answers}) == 2
    assert answers[3]["id"] is not None


@pytest.mark.usefixtures("answering")
def test_a_request_that_cannot_be_answered_gets_its_reason(connection: Connection) -> None:
    with Predictor(connection, timeout_s=30) as predictor:
        good, bad = predictor.ask([{"id": 5, "x": {}}, b"{truncated"])
    assert (good["prediction"], bad["error"]) == (5, "not JSON")


@pytest.mark.usefixtures("answering")
def test_silence_ends_with_what_was_received(connection: Connection) -> None:
    with Predictor(connection, timeout_s=2) as predictor:
        with pytest.raises(UnansweredError, match=r"3 of 4 requests.*within 2 s") as raised:
            predictor.ask([{"id": i, "x": {}} for i in (1, "skip", 2, 3)])
        found = [answer and answer["prediction"] for answer in raised.value.answers]
        assert found == [1, None, 2, 3]
        assert predictor.ask_one({"id": "after", "x": {}})["prediction"] == "after"


# ---- metrics, dead letters, commands


def test_metrics_are_read_and_followed(connection: Connection) -> None:
    def message(number: int) -> bytes:
        return orjson.dumps({"model": {"epoch": 1, "version": number}, "metrics": {}})

    with (
        Producer(connection, connection.topics.metrics) as producer,
        MetricsReader(connection) as reader,
    ):
        assert reader.latest() is None
        assert list(reader.follow(timeout_s=0.5)) == []
        for number in (1, 2):
            producer.send(message(number), 0)
        producer.flush(20)
        newest = reader.latest()
        assert newest is not None
        assert newest["model"]["version"] == 2
        assert [told["model"]["version"] for told in reader.all()] == [1, 2]
        following = reader.follow(timeout_s=20)
        assert next(following)["model"]["version"] == 2
        producer.send(message(3), 0)
        assert next(following)["model"]["version"] == 3


def test_a_dead_letter_written_twice_is_read_once(connection: Connection) -> None:
    with Producer(connection, connection.topics.dead_letters) as producer:
        for offset in (9, 4, 9):
            letter = encode_dead_letter("t.samples", 1, offset, "not JSON", b"{")
            producer.send(letter, 0)
        producer.flush(20)
        with DeadLetterReader(connection) as reader:
            assert [letter.offset for letter in reader.all()] == [4, 9]
            assert [letter.offset for letter in reader.follow(timeout_s=1)] == [9, 4]
            assert list(reader.follow(timeout_s=0.5, start="latest")) == []


def test_a_command_reaches_the_control_topic(connection: Connection) -> None:
    send_command(connection, "snapshot", "mine")
    (records,) = _records(connection, connection.topics.control).values()
    assert [decode_command(record.value) for record in records] == [
        {"command": "snapshot", "id": "mine"}
    ]
    with pytest.raises(WireError, match="none of snapshot"):
        send_command(connection, "dance")


def test_a_plain_consumer_reads_what_the_writer_wrote(connection: Connection) -> None:
    with SampleWriter(connection) as writer:
        writer.send_many([b"a", b"", b"c"], partition=1)
    consumer = KafkaConsumer(bootstrap_servers=connection.bootstrap_servers, check_crcs=True)
    with contextlib.closing(consumer):
        place = TopicPartition(connection.topics.samples, 1)
        consumer.assign([place])
        consumer.seek(place, 0)
        values: list[bytes] = []
        while len(values) < 3:
            for records in consumer.poll(timeout_ms=1000).values():
                values += [record.value for record in records]
    assert values == [b"a", b"", b"c"]
