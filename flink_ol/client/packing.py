"""Rows gathered into Arrow messages: by count, and by time where they come slowly."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, cast

from flink_ol.wire.arrow_samples import ArrowFields

MOST_ROWS = 1000  # of a message: enough that what a message costs is small beside its rows
_MOST_WAITING_S = 60.0


class Packing:
    """Gathers rows for each partition and sends them as one message each time it is full.

    A message is full with ``MOST_ROWS`` rows, or ``linger_s`` after its first. Rows whose values
    do not go together in columns become messages of their own. Thread-safe; an error of sending
    in the background is raised by the next call.
    """

    def __init__(
        self, fields: ArrowFields, send: Callable[[bytes, int], object], linger_s: float
    ) -> None:
        """``send``: takes a message and its partition."""
        self._fields, self._send, self._linger_s = fields, send, linger_s
        self._rows: dict[int, list[Mapping[str, Any]]] = {}
        self._due: dict[int, float] = {}  # by partition, monotonic seconds
        self._changed = threading.Condition()
        self._closed, self._error = False, cast(Exception | None, None)
        threading.Thread(target=self._linger, name="packing", daemon=True).start()

    def add(self, sample: Mapping[str, Any], partition: int) -> None:
        """Take one sample: columns by name; features may stand in a mapping of their own."""
        with self._changed:
            self._raise()
            rows = self._rows.setdefault(partition, [])
            rows.append(self._flat(sample))
            if len(rows) == 1:
                self._due[partition] = time.monotonic() + self._linger_s
                self._changed.notify()
            if len(rows) >= MOST_ROWS:
                self._pack(partition)

    def flush(self) -> None:
        """Send what there is."""
        with self._changed:
            self._raise()
            for partition in list(self._rows):
                self._pack(partition)

    def close(self) -> None:
        """End; what was not flushed is not sent."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _flat(self, sample: Mapping[str, Any]) -> Mapping[str, Any]:
        features = sample.get(self._fields.features)
        if not isinstance(features, Mapping):
            return dict(sample)
        rest = {name: value for name, value in sample.items() if name != self._fields.features}
        return {**features, **rest}

    def _pack(self, partition: int) -> None:
        from flink_ol.wire.arrow_writing import encode_rows  # takes its time to import

        rows = self._rows.pop(partition)
        del self._due[partition]
        try:
            messages = [encode_rows(rows)]
        except ValueError:
            messages = [encode_rows([row]) for row in rows]
        for message in messages:
            self._send(message, partition)

    def _raise(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _linger(self) -> None:
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                for partition in [one for one, due in self._due.items() if due <= now]:
                    try:
                        self._pack(partition)
                    except Exception as error:  # told to whoever calls next
                        self._error = error
                wait = min(self._due.values(), default=now + _MOST_WAITING_S) - now
                self._changed.wait(max(wait, 0.001))
