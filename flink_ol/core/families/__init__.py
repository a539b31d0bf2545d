"""Model families by name: adding one takes its file and a line in each of the two tables."""

from __future__ import annotations

from typing import Annotated

from flink_ol.core.families.fm import Fm, FmModel
from flink_ol.core.families.linear import Linear, LinearModel
from flink_ol.core.families.mlp import HiddenLayer, Mlp, MlpModel
from flink_ol.core.fields import Tagged

Model = Annotated[LinearModel | FmModel | MlpModel, Tagged("family")]

FAMILIES = {LinearModel: Linear, FmModel: Fm, MlpModel: Mlp}

__all__ = [
    "FAMILIES",
    "Fm",
    "FmModel",
    "HiddenLayer",
    "Linear",
    "LinearModel",
    "Mlp",
    "MlpModel",
    "Model",
]
