"""The one table of the job's states, streams and operator ids.

Names here are part of every savepoint: a renamed state is a lost state. Descriptors and tags are
built inside functions because they hold Java types, which need a running gateway.
"""

from __future__ import annotations

from pyflink.common import Types
from pyflink.common.typeinfo import TypeInformation
from pyflink.datastream import DataStream, OutputTag
from pyflink.datastream.state import MapStateDescriptor, ValueStateDescriptor

TRAINER_UID = "trainer"
SEQUENCER_UID = "sequencer"
MODEL_UID = "model"

# Buffer timeout of all streams behind the samples, in milliseconds: what they carry is rare and
# awaited, and a timeout above 0 costs a thread that wakes all the time at every exchange.
AT_ONCE = 0

# kinds of the messages to the sequencer
UPDATE, HELLO, COMMAND = 0, 1, 2


def bytes_type() -> TypeInformation:
    return Types.PRIMITIVE_ARRAY(Types.BYTE())


def message_type() -> TypeInformation:
    """A message to the sequencer: its kind and its bytes."""
    return Types.ROW([Types.INT(), bytes_type()])


def request_type() -> TypeInformation:
    """A prediction request: partition, offset, payload (null: a tombstone)."""
    return Types.ROW([Types.INT(), Types.LONG(), bytes_type()])


def keyed(value_type: TypeInformation) -> TypeInformation:
    """What a keyed stream carries: the key beside the value."""
    return Types.ROW([Types.INT(), value_type])


def keyed_bytes_type() -> TypeInformation:
    """A keyed Kafka record: key and value, the value null for a tombstone."""
    return Types.ROW([bytes_type(), bytes_type()])


def newest_frame() -> MapStateDescriptor:
    """Trainer, broadcast: the newest whole weights frame and the changes since, as stored_log."""
    return MapStateDescriptor("newest-frame", Types.LONG(), bytes_type())


def partition_progress() -> ValueStateDescriptor:
    """Trainer, keyed by partition: last sequence number and label."""
    return ValueStateDescriptor("partition-progress", bytes_type())


def pending_updates() -> MapStateDescriptor:
    """Trainer, keyed by partition: updates not yet seen in a frame, by sequence number."""
    return MapStateDescriptor("pending-updates", Types.LONG(), bytes_type())


def waiting_batches() -> MapStateDescriptor:
    """Trainer, keyed by partition: batches whose samples wait for their turn, see wire.batches."""
    return MapStateDescriptor("waiting-batches", Types.LONG(), bytes_type())


def residuals() -> MapStateDescriptor:
    """Trainer, keyed by partition: what was kept back of updates, as operators.stored_log."""
    return MapStateDescriptor("residuals", Types.LONG(), bytes_type())


def round_contributions() -> MapStateDescriptor:
    """Sequencer: contributions to the open round, by partition."""
    return MapStateDescriptor("round-contributions", Types.LONG(), bytes_type())


def learned_log() -> MapStateDescriptor:
    """Sequencer: what it learned itself: a base frame and the updates since, see model_log."""
    return MapStateDescriptor("learned-log", Types.LONG(), bytes_type())


def sequencer_state() -> ValueStateDescriptor:
    """Sequencer, under its only key."""
    return ValueStateDescriptor("sequencer", bytes_type())


def model_log() -> MapStateDescriptor:
    """Model, broadcast: a base snapshot and the entries since, see operators.stored_log."""
    return MapStateDescriptor("model-log", Types.LONG(), bytes_type())


def on_the_side(stream: DataStream, tag: OutputTag) -> DataStream:
    """What the operator behind ``stream`` yields beside its output.

    ``DataStream.get_side_output`` would send it all through a Python operator that does nothing.
    """
    return DataStream(stream._j_data_stream.getSideOutput(tag.get_java_output_tag()))


def dead_letters() -> OutputTag:
    return OutputTag("dead-letters", bytes_type())


def weights() -> OutputTag:
    return OutputTag("weights", bytes_type())


def snapshots() -> OutputTag:
    return OutputTag("snapshots", keyed_bytes_type())


def metrics() -> OutputTag:
    return OutputTag("metrics", bytes_type())
