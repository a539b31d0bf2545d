"""Model families by name: adding one takes its file and a line in each of the two tables."""

from __future__ import annotations

from typing import Annotated

from flink_ol.core.families.linear_model import LinearModel
from flink_ol.core.fields import Tagged

Model = Annotated[LinearModel, Tagged("family")]

__all__ = ["LinearModel", "Model"]
