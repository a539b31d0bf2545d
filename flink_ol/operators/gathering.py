"""Samples cross into Python as Arrow columns, and go on as one batch a partition.

A vectorised function of a Flink table: it is called with thousands of records at once, and Flink
ends what it gathers at a time, at a count, and before every checkpoint, so that no record is
between two checkpoints.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa
from pyflink.table import DataTypes, FunctionContext
from pyflink.table.udf import ScalarFunction, udf

from flink_ol.operators.worker import keep_arrow_columns, stop_state_sampling
from flink_ol.wire.batches import gathered_batches


class Gathering(ScalarFunction):
    """(partition, offset, timestamp, payload) -> bytes of the batch, see wire.batches.

    As many rows go out as came in: a batch stands beside its first record, null beside all others.
    """

    def __init__(self, most: int | None) -> None:
        """``most`` records in a batch; None: all that came together."""
        self._most = most

    def open(self, function_context: FunctionContext) -> None:
        stop_state_sampling()
        keep_arrow_columns()

    def is_deterministic(self) -> bool:
        return False  # else it is computed twice, to find the rows that have a batch and to show it

    def eval(
        self, partitions: pa.Array, offsets: pa.Array, times: pa.Array, payloads: pa.Array
    ) -> pd.Series:
        rows: list[bytes | None] = [None] * len(partitions)
        for row, batch in gathered_batches(partitions, offsets, times, payloads, self._most):
            rows[row] = batch
        return pd.Series(rows, dtype=object)


def gathering(most: int | None) -> Any:
    """The function as a table takes it; ``most`` records of a partition in a batch."""
    return udf(Gathering(most), result_type=DataTypes.BYTES(), func_type="pandas")
