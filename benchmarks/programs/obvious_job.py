"""``flink run -pyfs FOLDER -py obvious_job.py SETTINGS``: the PyFlink job of a first attempt."""

from __future__ import annotations

import json
import sys

from obvious_model import OnlineLogisticRegression
from pyflink.common import Configuration, Types, WatermarkStrategy
from pyflink.common.serialization import SimpleStringSchema
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.connectors.kafka import (
    KafkaOffsetsInitializer,
    KafkaRecordSerializationSchema,
    KafkaSink,
    KafkaSource,
)


def main() -> None:
    asked = json.loads(sys.argv[1])
    settings = Configuration()
    settings.set_string("python.execution-mode", "process")
    environment = StreamExecutionEnvironment.get_execution_environment(settings)
    environment.set_parallelism(asked["workers"])
    environment.enable_checkpointing(5000)
    source = (
        KafkaSource.builder()
        .set_bootstrap_servers(asked["servers"])
        .set_topics(asked["topic"])
        .set_group_id("obvious")
        .set_starting_offsets(KafkaOffsetsInitializer.earliest())
        .set_value_only_deserializer(SimpleStringSchema())
        .build()
    )
    sink = (
        KafkaSink.builder()
        .set_bootstrap_servers(asked["servers"])
        .set_record_serializer(
            KafkaRecordSerializationSchema.builder()
            .set_topic(asked["figures"])
            .set_value_serialization_schema(SimpleStringSchema())
            .build()
        )
        .build()
    )
    model = OnlineLogisticRegression(asked["format"], asked["kind"], asked["bits"], asked["rate"])
    (
        environment.from_source(source, WatermarkStrategy.no_watermarks(), "samples")
        .process(model, Types.STRING())
        .sink_to(sink)
    )
    environment.execute_async("obvious")


if __name__ == "__main__":
    main()
