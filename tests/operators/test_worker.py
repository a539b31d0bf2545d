"""The Python worker as the operators leave it."""

from __future__ import annotations

import numpy as np  # noqa: F401 - brings the library whose threads are counted
import threadpoolctl

from flink_ol.operators.worker import multiply_in_one_thread


def test_operators_multiply_matrices_in_one_thread() -> None:
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        multiply_in_one_thread()
        pools = threadpoolctl.threadpool_info()
    assert {pool["num_threads"] for pool in pools if pool["user_api"] == "blas"} == {1}
