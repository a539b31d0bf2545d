"""What users import to work with a job from Python: no PyFlink, no Java.

>>> from flink_ol.client import Connection, SnapshotReader
>>> with SnapshotReader(Connection("127.0.0.1:9092", "flights")) as snapshots:  # doctest: +SKIP
...     model = snapshots.latest()
"""

from flink_ol.client.connection import Connection
from flink_ol.client.errors import (
    BrokerUnreachableError,
    ClientError,
    DeliveryError,
    NoSnapshotError,
    TopicMissingError,
    UnansweredError,
)
from flink_ol.client.messages import DeadLetterReader, MetricsReader, send_command
from flink_ol.client.model import Model
from flink_ol.client.predictor import Predictor
from flink_ol.client.samples import SampleWriter
from flink_ol.client.snapshots import SnapshotReader
from flink_ol.wire.arrow_samples import ArrowFields
from flink_ol.wire.json_samples import JsonFields

__all__ = [
    "ArrowFields",
    "BrokerUnreachableError",
    "ClientError",
    "Connection",
    "DeadLetterReader",
    "DeliveryError",
    "JsonFields",
    "MetricsReader",
    "Model",
    "NoSnapshotError",
    "Predictor",
    "SampleWriter",
    "SnapshotReader",
    "TopicMissingError",
    "UnansweredError",
    "send_command",
]
