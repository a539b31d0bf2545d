"""What is evaluated beyond the cumulative metrics; it decides nothing about the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le

from flink_ol.core.fields import ConfigError, Section

MOST_SLICES = 8  # fields; each may fill a metrics message with 100 values

Samples = Annotated[int, Ge(1), Le(1_000_000_000)]


@dataclass(frozen=True, kw_only=True)
class Evaluation(Section):
    """How the recent metrics forget, and what the metrics are told by."""

    window: Samples = 10_000
    """The newest samples that are evaluated apart: at least so many, in whole updates."""
    half_life: Samples = 10_000
    """In the faded metrics a sample counts half after so many later ones."""
    slices: tuple[str, ...] = ()
    """Categorical features whose values are evaluated apart."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.slices) > MOST_SLICES or len(set(self.slices)) < len(self.slices):
            raise ConfigError("slices", self.slices, f"at most {MOST_SLICES} names that differ")
