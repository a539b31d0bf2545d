"""The names of a job's topics."""

from __future__ import annotations

from typing import NamedTuple

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$"


class Topics(NamedTuple):
    """``NAME.samples`` and so on, for the job ``NAME``."""

    name: str

    @property
    def samples(self) -> str:
        return f"{self.name}.samples"

    @property
    def requests(self) -> str:
        return f"{self.name}.requests"

    @property
    def control(self) -> str:
        return f"{self.name}.control"

    @property
    def weights(self) -> str:
        return f"{self.name}.weights"

    @property
    def snapshots(self) -> str:
        return f"{self.name}.snapshots"

    @property
    def predictions(self) -> str:
        return f"{self.name}.predictions"

    @property
    def metrics(self) -> str:
        return f"{self.name}.metrics"

    @property
    def dead_letters(self) -> str:
        return f"{self.name}.dead-letters"
