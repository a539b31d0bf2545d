"""A Python function behind the batches that does nothing: what crossing alone costs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pyflink.datastream import KeyedProcessFunction


class Discard(KeyedProcessFunction):
    """Takes every batch and gives nothing."""

    def process_element(self, value: Any, ctx: Any) -> Iterator[Any]:
        return iter(())
