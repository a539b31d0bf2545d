"""A dead man's switch on the feedback: how long a trainer has had no frame while it sends."""

from __future__ import annotations

from collections.abc import Callable

_PATIENCE_MS = 30_000  # before weights are asked for again; twice as long after every time


class Silence:
    """Counts from the first message that no frame answered; 0 while nothing is to be answered."""

    def __init__(self, clock: Callable[[], int]) -> None:
        """``clock`` gives milliseconds, and never goes back."""
        self._clock = clock
        self._since: int | None = None
        self._patience_ms = _PATIENCE_MS

    def sent(self) -> None:
        """An update or a hello went out."""
        if self._since is None:
            self._since = self._clock()

    def heard(self, waits: bool) -> None:
        """A frame for this life came; ``waits``: whether some update is still not in it."""
        self._since = self._clock() if waits else None
        self._patience_ms = _PATIENCE_MS

    def overdue(self) -> bool:
        """Whether to ask for weights again now."""
        if self.ms < self._patience_ms:
            return False
        self._patience_ms *= 2
        return True

    @property
    def ms(self) -> int:
        return 0 if self._since is None else self._clock() - self._since
