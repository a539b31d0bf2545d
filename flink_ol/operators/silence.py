"""A dead man's switch on the feedback: how long a trainer has had no frame while it sends."""

from __future__ import annotations

from collections.abc import Callable


class Silence:
    """Counts from the first update that no frame answered; 0 while nothing is to be answered."""

    def __init__(self, clock: Callable[[], int]) -> None:
        """``clock`` gives milliseconds, and never goes back."""
        self._clock = clock
        self._since: int | None = None

    def sent(self) -> None:
        """An update went out."""
        if self._since is None:
            self._since = self._clock()

    def heard(self, waits: bool) -> None:
        """A frame for this life came; ``waits``: whether some update is still not in it."""
        self._since = self._clock() if waits else None

    @property
    def ms(self) -> int:
        return 0 if self._since is None else self._clock() - self._since
