"""What an optimizer tells the kernels and the state about itself."""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """One optimizer with its settings, in the form the compiled loops take."""

    code: int  # of the switch in core.optimizers
    parameters: tuple[float, ...]  # its own, at most core.optimizers.PARAMETERS
    learning_rate: float = 1.0
    intercept_rate: float | None = 0.01  # None: the intercept is a coordinate like the weights
    feature_rates: tuple[tuple[str, float], ...] = ()  # in place of learning_rate, by name
    scales_with_workers: bool = False  # whether rate_scale multiplies its rates, see repeated
    schedule: tuple[int, tuple[float, ...]] = (0, ())  # code and parameters of schedules.factor
    warm_up: int = 0  # samples
    accumulators: tuple[tuple[str, str], ...] = ()  # at most two (name, merge rule)
    derived: bool = False  # weights follow from the accumulators alone
    numbered: bool = False  # its steps are corrected by their number
    whole_sample: bool = False  # a step needs the whole sample: the linear family alone has it
