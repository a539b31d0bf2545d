"""``flink run -pyfs FOLDER -py stage_job.py SPEC STAGE``: the first stages of our job and no more.

fetch: the source, into nowhere. gather: source and batches. cross: these and a Python function
that does nothing with a batch. Each with the job's own tables and settings; one less the one
before is a stage.
"""

from __future__ import annotations

import sys

from discard import Discard
from pyflink.common import Types
from pyflink.datastream import DataStream, StreamExecutionEnvironment
from pyflink.java_gateway import get_gateway

from flink_ol.job import topology
from flink_ol.job.endpoints import Endpoints
from flink_ol.job.record_size import record_bytes
from flink_ol.job.spec import Spec
from flink_ol.operators import states


def main() -> None:
    spec, stage = Spec.load(sys.argv[1]), sys.argv[2]
    settings = topology.configuration(spec)
    settings.set_string("execution.checkpointing.interval", "500 ms")  # offsets tell where it is
    settings.set_string("execution.checkpointing.min-pause", "100 ms")
    environment = StreamExecutionEnvironment.get_execution_environment(settings)
    environment.set_parallelism(spec.training.workers)
    environment.set_max_parallelism(topology.MAX_PARALLELISM)
    endpoints = Endpoints(environment, spec, record_bytes(spec))
    stream: DataStream
    if stage == "fetch":
        endpoints.samples()
        stream = endpoints._stream(
            endpoints._tables.sql_query("SELECT v FROM samples"),
            Types.ROW([states.bytes_type()]),
            "fetched",
        )
    else:
        stream = endpoints.batches(topology.partition_keys(spec.samples.partitions))
    if stage == "cross":
        stream = topology._keyed(stream, states.bytes_type()).process(
            Discard(), states.bytes_type()
        )
    jvm = get_gateway().jvm
    sink = jvm.org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink()
    stream._j_data_stream.sinkTo(sink)
    environment.execute_async(f"stage-{stage}")


if __name__ == "__main__":
    main()
