"""The job's dataflow; reads like the picture in docs/design.md."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pyflink.common import Configuration, Types
from pyflink.common.typeinfo import TypeInformation
from pyflink.datastream import DataStream, KeyedStream, StreamExecutionEnvironment
from pyflink.java_gateway import get_gateway
from pyflink.util.java_utils import get_j_env_configuration

from flink_ol.core.messages import METRICS, SNAPSHOT, WEIGHTS
from flink_ol.core.training import Exact, crossing_of
from flink_ol.job.endpoints import Endpoints
from flink_ol.job.origin import own_folder
from flink_ol.job.spec import Spec
from flink_ol.operators import states
from flink_ol.operators.model import ModelFunction
from flink_ol.operators.sequencer import SequencerFunction
from flink_ol.operators.trainer import TrainerFunction

_CHECKPOINTS = "execution.checkpointing.dir"
_ENDLESS: Mapping[int, int] = MappingProxyType({})
MAX_PARALLELISM = 128  # fixed for the life of a job: keys and state are laid out by it


def build(
    spec: Spec,
    start: bytes | None = None,
    ends: Mapping[int, int] = _ENDLESS,
    record_bytes: int | None = None,
) -> StreamExecutionEnvironment:
    """The environment with the whole job in it, ready to execute.

    ``start``: the model file that ``model.start_from`` names, see job.start_model.
    ``ends``: partition -> offset after its last sample, where training makes passes.
    ``record_bytes``: of a record of samples on average, see job.record_size.
    """
    environment = StreamExecutionEnvironment.get_execution_environment(configuration(spec))
    environment.set_parallelism(spec.training.workers)
    environment.set_max_parallelism(MAX_PARALLELISM)
    base = flink_settings(environment).get_string(_CHECKPOINTS, "")
    if base:
        own = Configuration()
        own.set_string(_CHECKPOINTS, own_folder(base, spec.name))
        environment.configure(own)
    endpoints = Endpoints(environment, spec, record_bytes)

    batches = endpoints.batches(partition_keys(spec.samples.partitions))
    updates = _trainers(spec, batches, endpoints.weights(), ends, start)
    log = _sequencer(spec, updates.union(endpoints.commands()), ends, start)
    predictions = _models(spec, endpoints.requests(), log, start)

    delivery = spec.delivery
    endpoints.write(predictions, "predictions", delivery.predictions == "exactly_once")
    endpoints.write(states.on_the_side(predictions, states.weights()), "weights")
    endpoints.write(states.on_the_side(predictions, states.metrics()), "metrics")
    snapshots = states.on_the_side(predictions, states.snapshots())
    endpoints.write(snapshots, "snapshots", exactly_once=True)
    dead_letters = states.on_the_side(updates, states.dead_letters())
    if isinstance(spec.training, Exact):  # where the sequencer learns
        dead_letters = dead_letters.union(states.on_the_side(log, states.dead_letters()))
    endpoints.write(dead_letters, "dead-letters", delivery.dead_letters == "exactly_once")
    # Translating a table gives its settings to the environment, and with them the bundles of what
    # is gathered: those of streams hold if they are set after the last table.
    environment.configure(_bundles(spec))
    return environment


def _bundles(spec: Spec) -> Configuration:
    """How much the operators of streams take together, each in Python and back."""
    crossing = crossing_of(spec.training, spec.samples.many_samples)
    result = Configuration()
    # Paid at every Python hop, three times from a sample to the weights that know it; and every
    # bundle costs milliseconds of CPU, so where windows are long, for throughput, these are longer.
    bundle_ms = max(10, spec.training.batch_window_ms // 4) if crossing.gathered is None else 10
    result.set_string("python.fn-execution.bundle.time", str(bundle_ms))
    # bounds how long a checkpoint, or a frame, waits for a bundle to end
    result.set_string("python.fn-execution.bundle.size", str(crossing.batches))
    return result


def _trainers(
    spec: Spec,
    batches: DataStream,
    weights: DataStream,
    ends: Mapping[int, int],
    start: bytes | None,
) -> DataStream:
    """Updates, and dead letters on the side."""
    function = TrainerFunction(
        spec.learning,
        spec.metrics.evaluation,
        spec.samples.format,
        spec.samples.fields,
        spec.topics.samples,
        spec.training,
        ends,
        start,
    )
    return (
        _keyed(batches, states.bytes_type())
        .connect(weights.broadcast(states.newest_frame()))
        .process(function, states.keyed(states.message_type()))
        .name("trainer")
        .set_buffer_timeout(states.AT_ONCE)
        .uid(states.TRAINER_UID)
    )


def _sequencer(
    spec: Spec, messages: DataStream, ends: Mapping[int, int], start: bytes | None
) -> DataStream:
    """The log, and dead letters on the side."""
    intervals_ms = {
        WEIGHTS: spec.weights.interval_ms,
        SNAPSHOT: spec.snapshots.interval_ms,
        METRICS: spec.metrics.interval_ms,
    }
    function = SequencerFunction(
        spec.learning,
        spec.metrics.evaluation,
        intervals_ms,
        spec.training,
        frozenset(ends or range(spec.samples.partitions)),
        spec.topics.samples,
        start,
        spec.weights.bytes_per_s,
        spec.weights.numbers,
    )
    return (
        _keyed(messages, states.message_type())
        .process(function, states.bytes_type())
        .name("sequencer")
        .set_buffer_timeout(states.AT_ONCE)
        .uid(states.SEQUENCER_UID)
        .set_parallelism(1)
    )


def _models(spec: Spec, requests: DataStream, log: DataStream, start: bytes | None) -> DataStream:
    """Predictions, and what is published on the side."""
    function = ModelFunction(
        spec.learning,
        spec.metrics.evaluation,
        spec.samples.format,
        spec.samples.fields,
        spec.name,
        spec.hash,
        spec.snapshots.keep,
        start,
        spec.weights.numbers,
    )
    return (
        requests.connect(log.broadcast(states.model_log()))
        .process(function, states.bytes_type())
        .name("model")
        .set_buffer_timeout(states.AT_ONCE)
        .uid(states.MODEL_UID)
    )


def configuration(spec: Spec) -> Configuration:
    """Flink's settings for the job; the cluster's own hold for everything not named here."""
    settings = {
        "pipeline.name": spec.name,
        "python.execution-mode": "process",
        # operators of a chain hand over what they have instead of a copy; none of ours keeps it
        "pipeline.object-reuse": "true",
        # of exchanges that the planner makes, behind sources of one subtask; its default is 100 ms
        "execution.buffer-timeout.interval": "20 ms",
        "execution.checkpointing.interval": f"{spec.checkpoints.interval_ms} ms",
        "execution.checkpointing.min-pause": f"{spec.checkpoints.interval_ms // 2} ms",
        "execution.checkpointing.mode": "EXACTLY_ONCE",
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        "execution.checkpointing.tolerable-failed-checkpoints": "3",
        "restart-strategy.type": "exponential-delay",
        "restart-strategy.exponential-delay.initial-backoff": "1 s",
        "restart-strategy.exponential-delay.max-backoff": "10 s",
        # the default never gives up: a fault that comes back at once would loop for ever
        "restart-strategy.exponential-delay.attempts-before-reset-backoff": "40",
        "restart-strategy.exponential-delay.reset-backoff-threshold": "5 min",
    }
    if spec.checkpoints.directory is not None:
        settings[_CHECKPOINTS] = spec.checkpoints.directory
    result = Configuration()
    for key, value in settings.items():
        result.set_string(key, value)
    return result


def flink_settings(environment: StreamExecutionEnvironment) -> Configuration:
    """The settings that hold for the environment, the cluster's own as far as the client knows."""
    j_environment = environment._j_stream_execution_environment
    return Configuration(j_configuration=get_j_env_configuration(j_environment))


def checkpoint_folder(environment: StreamExecutionEnvironment) -> str | None:
    """The URI under which the job's checkpoints go; None: the cluster knows it, the client not."""
    return flink_settings(environment).get_string(_CHECKPOINTS, "") or None


def partition_keys(partitions: int) -> list[int]:
    """A key for each partition, so that partition i lands in key group (i + 1/2) / n of the range.

    Hashed as they are, few partitions land unevenly; so chosen, every parallelism gets its share.
    """
    wanted = {
        partition: (2 * partition + 1) * MAX_PARALLELISM // (2 * partitions)
        for partition in range(partitions)
    }
    jvm = get_gateway().jvm
    groups = jvm.org.apache.flink.runtime.state.KeyGroupRangeAssignment
    row = jvm.org.apache.flink.types.Row(1)
    found: dict[int, list[int]] = {group: [] for group in wanted.values()}
    needed = {group: list(wanted.values()).count(group) for group in found}
    key = 0
    while any(len(found[group]) < needed[group] for group in found):
        row.setField(0, key)
        group = groups.assignToKeyGroup(row, MAX_PARALLELISM)
        if group in found and len(found[group]) < needed[group]:
            found[group].append(key)
        key += 1
    return [found[wanted[partition]].pop(0) for partition in range(partitions)]


def _keyed(stream: DataStream, value_type: TypeInformation) -> KeyedStream:
    """Key a stream that already carries (key, value) rows.

    ``DataStream.key_by`` would send every element through a Python operator of its own first.
    """
    selector: Any = get_gateway().jvm.KeyByKeySelector()
    key_type = Types.ROW([Types.INT()]).get_java_type_info()
    return KeyedStream(stream._j_data_stream.keyBy(selector, key_type), value_type, stream)
