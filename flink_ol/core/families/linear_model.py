"""Settings of the linear family."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge

from flink_ol.core.fields import Section


@dataclass(frozen=True, kw_only=True)
class LinearModel(Section):
    """One weight per feature and output, and an intercept."""

    family: Literal["linear"] = "linear"
    l2: Annotated[float, Ge(0)] = 0.0
    """Adds l2 times the weight to the gradient of every feature of a sample."""
