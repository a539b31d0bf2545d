"""A Kafka broker in KRaft mode, on loopback, with its log in a folder of its own.

The stack has a single one; several that share a cluster id and know each other's controllers are
a cluster.
"""

import base64
import os
import subprocess
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flink_ol.local import jars, processes
from flink_ol.local.errors import StackError
from flink_ol.local.java import Java
from flink_ol.local.ports import LOOPBACK, free_ports, is_listening
from flink_ol.local.processes import ProcessRecord

MEMBER = "broker"
MAX_MESSAGE_BYTES = 16 * 1024 * 1024
MAX_TRANSACTION_MS = 60 * 60 * 1000  # Flink's sink asks for one hour, Kafka's default grants 15 min
HEAP_MIB = 448
START_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Broker:
    """Where the broker is: its folder and ports. It keeps both over a restart."""

    folder: Path
    port: int
    controller_port: int
    node: int = 1

    @property
    def voter(self) -> str:
        """What the others call its controller."""
        return f"{self.node}@{LOOPBACK}:{self.controller_port}"

    @property
    def bootstrap_servers(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    @property
    def log(self) -> Path:
        return self.folder / "broker.log"


def create(folder: Path, java: Java) -> Broker:
    """A broker's folder with its settings and an empty, formatted log; or the one that is there."""
    settings = folder / "server.properties"
    if settings.is_file() and (folder / "data" / "meta.properties").is_file():
        ports = dict(line.split("=", 1) for line in settings.read_text().splitlines() if line)
        port, controller = (part.rsplit(":", 1)[1] for part in ports["listeners"].split(","))
        return Broker(folder, int(port), int(controller))
    broker = Broker(folder, *free_ports(2))
    _lay_out(broker, java, _new_cluster_id(), _server_properties(broker, [broker]))
    return broker


def create_cluster(folder: Path, java: Java, count: int) -> list[Broker]:
    """New brokers that are one cluster, each topic and each of Kafka's own on all of them.

    A record is acknowledged by all but one: one may be away.
    """
    ports, cluster_id = free_ports(2 * count), _new_cluster_id()
    places = zip(ports[::2], ports[1::2], strict=True)
    brokers = [
        Broker(folder / f"{MEMBER}-{node}", *of_one, node)
        for node, of_one in enumerate(places, start=1)
    ]
    for broker in brokers:
        _lay_out(broker, java, cluster_id, _server_properties(broker, brokers))
    return brokers


def _new_cluster_id() -> str:
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def _lay_out(broker: Broker, java: Java, cluster_id: str, settings: str) -> None:
    """Writes the broker's folder with an empty, formatted log."""
    path = broker.folder / "server.properties"
    broker.folder.mkdir(parents=True, exist_ok=True)
    path.write_text(settings)
    (broker.folder / "log4j2.properties").write_text(_LOG4J)
    command = _java(broker, java, "-XX:TieredStopAtLevel=1", "kafka.tools.StorageTool")
    # joined by "=": an id may begin with a dash
    command += ["format", f"--cluster-id={cluster_id}", "--config", str(path)]
    # With it the one replica of a partition, back from a kill, waits for a special election.
    command += ["--feature", "eligible.leader.replicas.version=0"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if answer.returncode != 0:
        place = broker.folder / "data"
        raise StackError(f"Kafka cannot format {place}: {answer.stdout}{answer.stderr}")


def start(broker: Broker, java: Java, stack_id: str) -> ProcessRecord:
    """Starts the broker's process; `wait_ready` tells when it answers."""
    heap = [f"-Xms{HEAP_MIB // 2}m", f"-Xmx{HEAP_MIB}m"]
    command = _java(broker, java, *heap, "kafka.Kafka")
    command.append(str(broker.folder / "server.properties"))
    return processes.spawn(
        MEMBER,
        command,
        stack_id=stack_id,
        environment=os.environ,
        folder=broker.folder,
        log=broker.log,
    )


def wait_ready(broker: Broker, record: ProcessRecord, timeout_s: float = START_TIMEOUT_S) -> None:
    """Returns when the broker answers a client.

    Raises:
        StackError: it ended, or did not answer in time; with the end of its log.
    """
    deadline = time.monotonic() + timeout_s
    while processes.find(record) is not None and time.monotonic() < deadline:
        if answers(broker.bootstrap_servers):
            return
        time.sleep(0.1)
    happened = "does not answer" if processes.find(record) else "ended"
    raise StackError(
        f"the Kafka broker at {broker.bootstrap_servers} {happened} within {timeout_s:.0f} s of "
        f"its start; the end of {broker.log}:\n{processes.tail(broker.log)}"
    )


def wait_served(broker: Broker, timeout_s: float = START_TIMEOUT_S) -> None:
    """Returns when every partition can be read: a broker that is back names itself their leader
    before it has taken up the work.

    Raises:
        StackError: some partition was not served in time; with the end of the broker's log.
    """
    from kafka import KafkaConsumer, TopicPartition
    from kafka.errors import KafkaError

    consumer = KafkaConsumer(
        bootstrap_servers=broker.bootstrap_servers,
        group_id=None,
        enable_auto_commit=False,
        request_timeout_ms=int(timeout_s * 1000),
    )
    try:
        topics = consumer.topics()
        partitions = [
            TopicPartition(topic, partition)
            for topic in topics
            for partition in consumer.partitions_for_topic(topic) or ()
        ]
        consumer.end_offsets(partitions)  # tries again until all have answered
    except KafkaError as error:
        raise StackError(
            f"the Kafka broker at {broker.bootstrap_servers} does not serve its partitions within "
            f"{timeout_s:.0f} s of its return ({error}); the end of {broker.log}:\n"
            f"{processes.tail(broker.log)}"
        ) from error
    finally:
        consumer.close()


def answers(bootstrap_servers: str) -> bool:
    """Whether a broker there answers a request for the cluster's description."""
    from kafka import KafkaAdminClient
    from kafka.errors import KafkaError

    host, _, port = bootstrap_servers.split(",")[0].rpartition(":")
    if not is_listening(int(port), host):
        return False
    try:
        client = KafkaAdminClient(
            bootstrap_servers=bootstrap_servers.split(","), request_timeout_ms=2_000
        )
    except KafkaError:
        return False
    try:
        return bool(client.describe_cluster().get("brokers"))
    except KafkaError:
        return False
    finally:
        client.close()


def _java(broker: Broker, java: Java, *arguments: str) -> list[str]:
    class_path = os.pathsep.join(str(path) for path in jars.fetch("broker"))
    return [
        str(java.executable),
        *arguments[:-1],
        "-XX:-UsePerfData",  # no files outside the folder
        "-XX:+ExitOnOutOfMemoryError",
        f"-XX:ErrorFile={broker.folder}/crash-%p.log",
        f"-Dlog4j2.configurationFile={broker.folder}/log4j2.properties",
        "-cp",
        class_path,
        arguments[-1],
    ]


def _server_properties(broker: Broker, cluster: Sequence[Broker]) -> str:
    copies = len(cluster)
    enough = max(1, copies - 1)
    return f"""\
process.roles=broker,controller
node.id={broker.node}
controller.quorum.voters={",".join(each.voter for each in cluster)}
listeners=PLAINTEXT://{broker.bootstrap_servers},CONTROLLER://{LOOPBACK}:{broker.controller_port}
advertised.listeners=PLAINTEXT://{broker.bootstrap_servers}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={broker.folder}/data
auto.create.topics.enable=false
message.max.bytes={MAX_MESSAGE_BYTES}
replica.fetch.max.bytes={MAX_MESSAGE_BYTES}
transaction.max.timeout.ms={MAX_TRANSACTION_MS}
default.replication.factor={copies}
min.insync.replicas={enough}
offsets.topic.replication.factor={copies}
offsets.topic.num.partitions=4
transaction.state.log.replication.factor={copies}
transaction.state.log.min.isr={enough}
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor={copies}
share.coordinator.state.topic.min.isr={enough}
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=6000
broker.heartbeat.interval.ms=1500
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=33554432
"""


_LOG4J = """\
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=[%d] %p %m (%c)%n%ex
rootLogger.level=WARN
rootLogger.appenderRef.out.ref=out
logger.server.name=kafka.server.KafkaRaftServer
logger.server.level=INFO
"""
