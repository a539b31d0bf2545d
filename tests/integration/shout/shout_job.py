"""A trivial job: reads messages from a topic, upper-cases them in Python, writes them to another.

usage: shout_job.py BOOTSTRAP_SERVERS SOURCE_TOPIC SINK_TOPIC JOB_NAME
"""

import sys
from pathlib import Path

from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.table import StreamTableEnvironment

sys.path.insert(0, str(Path(__file__).parent))
from shout_functions import Shout


def main(servers: str, source: str, sink: str, job_name: str) -> None:
    environment = StreamExecutionEnvironment.get_execution_environment()
    environment.add_python_file(str(Path(__file__).parent / "shout_functions.py"))
    environment.set_parallelism(2)
    environment.enable_checkpointing(1_000)
    tables = StreamTableEnvironment.create(environment)
    tables.get_config().set("python.fn-execution.bundle.time", "20")
    tables.execute_sql(
        f"""CREATE TABLE source (v BYTES) WITH ('connector' = 'kafka', 'topic' = '{source}',
        'properties.bootstrap.servers' = '{servers}', 'scan.startup.mode' = 'earliest-offset',
        'format' = 'raw')"""
    )
    tables.execute_sql(
        f"""CREATE TABLE sink (v BYTES) WITH ('connector' = 'kafka', 'topic' = '{sink}',
        'properties.bootstrap.servers' = '{servers}', 'format' = 'raw',
        'sink.delivery-guarantee' = 'exactly-once',
        'sink.transactional-id-prefix' = '{job_name}')"""
    )
    rows = Types.ROW_NAMED(["v"], [Types.PRIMITIVE_ARRAY(Types.BYTE())])
    shouted = tables.to_data_stream(tables.from_path("source")).map(Shout(), output_type=rows)
    statements = tables.create_statement_set()
    statements.add_insert("sink", tables.from_data_stream(shouted))
    statements.attach_as_datastream()
    environment.execute_async(job_name)


if __name__ == "__main__":
    main(*sys.argv[1:])
