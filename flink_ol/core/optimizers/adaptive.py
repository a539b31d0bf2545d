"""Vowpal Wabbit's default: adaptive, normalised, importance-invariant steps.

Per weight the sum of squared gradients (adaptive; Duchi, Hazan, Singer 2011) and the largest size
of its feature (normalised; Ross, Mineiro, Langford 2013), and over all samples the mean of the
squared norms in these scales; the step of a sample solves for what many small ones would do
(Karampatziakis, Langford 2011). Its parts need the whole sample: see families.adaptive_steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le

from flink_ol.core.fields import Section
from flink_ol.core.optimizers.kind import Kind

CODE = 8


@dataclass(frozen=True, kw_only=True)
class Adaptive(Section):
    """Importance-aware normalised updates, for linear models; needs no scaling of features."""

    name: Literal["adaptive"] = "adaptive"
    learning_rate: Annotated[float, Gt(0)] = 0.5
    power_t: Annotated[float, Ge(0), Le(1)] = 0.5
    """Exponent of the squared gradients in a weight's rate."""

    def kind(self) -> Kind:
        """What the kernels and the state need to know: squares add, scales are maxima."""
        return Kind(
            code=CODE,
            parameters=(self.power_t,),
            learning_rate=self.learning_rate,
            intercept_rate=None,
            accumulators=(("squares", "sum"), ("scales", "max")),
            whole_sample=True,
        )
