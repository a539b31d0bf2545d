"""The job's Kafka sources and sinks, as Flink tables of raw bytes.

The Table connector is used because it alone gives partitions, offsets and timestamps of records
to Python, writes keys, and is transactional. Its operators get stable ids here, since the
planner gives them none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pyflink.common import Types
from pyflink.common.typeinfo import TypeInformation
from pyflink.datastream import DataStream, StreamExecutionEnvironment
from pyflink.table import StreamTableEnvironment

from flink_ol.core.training import crossing_of
from flink_ol.job.record_size import most_gathered
from flink_ol.job.spec import Spec
from flink_ol.operators import states
from flink_ol.operators.gathering import gathering
from flink_ol.wire.topics import Topics


class Endpoints:
    """Builds the sources and sinks of one job in one table environment."""

    def __init__(
        self, environment: StreamExecutionEnvironment, spec: Spec, record_bytes: int | None = None
    ) -> None:
        """``record_bytes``: of a record of samples, on average; None: nobody knows."""
        self._environment, self._spec, self._record_bytes = environment, spec, record_bytes
        self._tables = StreamTableEnvironment.create(environment)
        self._topics = Topics(spec.name)

    def samples(self) -> None:
        """Makes the table ``samples``: (v, p, o, ts) of every record, as they come."""
        self._source(
            "samples",
            self._topics.samples,
            {
                "scan.startup.mode": f"{self._spec.samples.start}-offset",
                # a trickle would be fetched record by record, at the cost of a core
                "properties.fetch.min.bytes": "65536",
                "properties.fetch.max.wait.ms": "20",
                "properties.max.poll.records": "5000",  # each poll is a handover between threads
            },
        )

    def batches(self, keys: list[int]) -> DataStream:
        """Raw samples gathered by partition: (key of the partition, wire.batches)."""
        self.samples()
        spec, settings = self._spec, self._tables.get_config()
        most = most_gathered(spec.samples.format, self._record_bytes)
        crossing = crossing_of(spec.training, spec.samples.many_samples)
        if crossing.gathered is not None:
            most = min(most, crossing.gathered * spec.samples.partitions)
        # of the only Python function in a table; those of streams are set after the last table
        settings.set("python.fn-execution.bundle.time", str(spec.training.batch_window_ms))
        settings.set("python.fn-execution.bundle.size", str(most))
        settings.set("python.fn-execution.arrow.batch.size", str(most))
        settings.set("table.local-time-zone", "UTC")  # others have hours that come twice
        self._tables.create_temporary_function("gathered", gathering(crossing.records))
        table = self._tables.sql_query(f"""
            SELECT ARRAY[{", ".join(map(str, keys))}][p + 1] AS k, batch
            FROM (SELECT p, gathered(p, o, ts, v) AS batch FROM samples)
            WHERE batch IS NOT NULL""")
        return self._stream(table, states.keyed(states.bytes_type()), "gathered")

    def weights(self) -> DataStream:
        """Weights frames, in parts, as they come: rows of bytes, parallelism 1."""
        options = {"scan.startup.mode": "latest-offset", "scan.parallelism": "1"}
        self._source("weights", self._topics.weights, options)
        table = self._tables.sql_query("SELECT v FROM weights WHERE v IS NOT NULL")
        return self._stream(table, Types.ROW([states.bytes_type()]), "weights")

    def commands(self) -> DataStream:
        """Control commands: (the sequencer's only key, states.message_type())."""
        options = {**self._since_last_life(), "scan.parallelism": "1"}
        self._source("control", self._topics.control, options)
        table = self._tables.sql_query(
            f"SELECT 0 AS k, ROW({states.COMMAND}, v) AS message FROM control WHERE v IS NOT NULL"
        )
        return self._stream(table, states.keyed(states.message_type()), "control")

    def requests(self) -> DataStream:
        """Prediction requests: states.request_type()."""
        self._source("requests", self._topics.requests, self._since_last_life())
        table = self._tables.sql_query("SELECT p, o, v FROM requests")
        return self._stream(table, states.request_type(), "requests")

    def write(self, stream: DataStream, topic: str, exactly_once: bool = False) -> None:
        """Send a stream of bytes, or of (key, value) pairs, to ``NAME.topic``.

        What one subtask publishes is written by one, so that it stays in order.
        """
        spec = self._spec
        keyed = stream.get_type() == states.keyed_bytes_type()
        options = {
            **self._kafka(),
            "topic": getattr(self._topics, topic.replace("-", "_")),
            "value.format": "raw",
            "sink.delivery-guarantee": "exactly-once" if exactly_once else "at-least-once",
            # Flink's own, an hour, is refused by brokers that were not told to grant it
            "properties.transaction.timeout.ms": str(spec.delivery.transaction_timeout_ms),
            "properties.max.request.size": str(16 << 20),
        }
        if topic != "predictions":
            options["sink.parallelism"] = "1"
        if exactly_once:
            # the same in every life: a new one ends what the old one left open
            options["sink.transactional-id-prefix"] = f"{spec.name}.{topic}"
        if keyed:
            options |= {
                "key.format": "raw",
                "key.fields": "k",
                "value.fields-include": "EXCEPT_KEY",
            }
        else:
            options["properties.linger.ms"] = "0"
        self._create(
            f"sink_{topic.replace('-', '_')}", "k BYTES, v BYTES" if keyed else "v BYTES", options
        )
        table = self._tables.from_data_stream(stream)
        statements = self._tables.create_statement_set()
        statements.add_insert(f"sink_{topic.replace('-', '_')}", table)
        statements.attach_as_datastream()
        _identify(
            self._environment._j_stream_execution_environment.getTransformations(),
            f"{topic}-sink",
        )

    def _since_last_life(self) -> dict[str, str]:
        """From where an earlier life of the job left off; at first, all there is."""
        return {
            "scan.startup.mode": "group-offsets",
            "properties.auto.offset.reset": "earliest",
        }

    def _source(self, name: str, topic: str, options: Mapping[str, str]) -> None:
        metadata = (
            "v BYTES",
            "p INT METADATA FROM 'partition' VIRTUAL",
            "o BIGINT METADATA FROM 'offset' VIRTUAL",
            "ts TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL",
        )
        settings = {
            **self._kafka(),
            "topic": topic,
            "format": "raw",
            "properties.group.id": f"flink_ol.{self._spec.name}.{name}",
            "properties.isolation.level": "read_committed",
            **options,
        }
        self._create(name, ", ".join(metadata), settings)

    def _create(self, name: str, columns: str, options: Mapping[str, str]) -> None:
        quoted = ", ".join(
            f"'{key}' = '{value.replace(chr(39), chr(39) * 2)}'" for key, value in options.items()
        )
        self._tables.execute_sql(f"CREATE TEMPORARY TABLE {name} ({columns}) WITH ({quoted})")

    def _kafka(self) -> dict[str, str]:
        kafka = self._spec.kafka
        return {
            "connector": "kafka",
            "properties.bootstrap.servers": kafka.bootstrap_servers,
            **{f"properties.{key}": str(value) for key, value in kafka.properties.items()},
        }

    def _stream(self, table: Any, type_info: TypeInformation, role: str) -> DataStream:
        stream = self._tables.to_append_stream(table, type_info)
        transformation = stream._j_data_stream.getTransformation()
        transformation.setBufferTimeout(states.AT_ONCE)
        _identify([transformation], role)
        return stream


def _identify(roots: Iterable[Any], role: str) -> None:
    """Give every operator at or above ``roots`` that has no id yet one made of its role.

    Ids must not depend on what other tables the job has, as the planner's would: a savepoint
    finds an operator's state by its id alone.
    """
    unnamed: dict[int, Any] = {}
    todo = list(roots)
    while todo:
        operator = todo.pop()
        if operator.getUid() is None and operator.getId() not in unnamed:
            unnamed[operator.getId()] = operator
            todo.extend(operator.getInputs())
    number = 0
    for identity in sorted(unnamed):
        unnamed[identity].setUid(f"{role}-{number}")
        # once there was an operator behind each of these, and savepoints know the others by number
        aside = unnamed[identity].getClass().getSimpleName() == "SideOutputTransformation"
        number += 2 if aside else 1
