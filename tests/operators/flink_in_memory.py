"""What the operators see of Flink, in memory: state by key, broadcast state, timers, metrics.

A subtask is a function with its state; the state can be copied, as a checkpoint does, and given to
another subtask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

States = dict[str, Any]  # name -> value, or map
Keyed = dict[Any, States]


class Kept(NamedTuple):
    """The state of one subtask, as a checkpoint holds it."""

    keyed: Keyed
    broadcast: States
    timers: tuple[tuple[int, Any], ...] = ()  # (ms, key)


NOTHING = Kept({}, {})


class _Value:
    def __init__(self, states: Callable[[], States], name: str) -> None:
        self._states, self._name = states, name

    def value(self) -> Any:
        return self._states().get(self._name)

    def update(self, value: Any) -> None:
        self._states()[self._name] = value


class _Map:
    """Like Flink's: a key that is absent reads as None, and may be removed."""

    def __init__(self, states: Callable[[], States], name: str) -> None:
        self._states, self._name = states, name

    def _entries(self) -> dict[Any, Any]:
        found: dict[Any, Any] = self._states().setdefault(self._name, {})
        return found

    def get(self, key: Any) -> Any:
        return self._entries().get(key)

    def put(self, key: Any, value: Any) -> None:
        self._entries()[key] = value

    def remove(self, key: Any) -> None:
        self._entries().pop(key, None)

    def is_empty(self) -> bool:
        return not self._entries()

    def keys(self) -> Iterable[Any]:
        return list(self._entries())

    def values(self) -> Iterable[Any]:
        return list(self._entries().values())


class _Metrics:
    def counter(self, name: str) -> _Metrics:
        return self

    def gauge(self, name: str, value: Any) -> None: ...

    def inc(self, by: int = 1) -> None: ...


class Subtask:
    """One subtask; it is its function's runtime context and the context of every element."""

    def __init__(self, function: Any, index: int, kept: Kept) -> None:
        copied = copy_of(kept)
        self.function, self.index = function, index
        self.keyed, self.broadcast = copied.keyed, copied.broadcast
        self.timers = set(copied.timers)
        self._key: Any = None
        function.open(self)

    def element(self, value: Any, key: Any = None) -> list[Any]:
        """What the operator emits for one element."""
        self._key = key
        return list(self.function.process_element(value, self))

    def broadcast_element(self, value: Any) -> list[Any]:
        """What it emits for one element of its broadcast input."""
        self._key = None
        return list(self.function.process_broadcast_element(value, self))

    def due(self, now_ms: int) -> list[Any]:
        """What it emits by the timers that are due."""
        emitted: list[Any] = []
        for at_ms, key in sorted(timer for timer in self.timers if timer[0] <= now_ms):
            self.timers.discard((at_ms, key))
            self._key = key
            emitted += self.function.on_timer(at_ms, self)
        return emitted

    def kept(self) -> Kept:
        """Its state now; what happens later stays out.

        The next timer of a key is never in it: as if it had just fired and were being set anew,
        which PyFlink's checkpoints miss.
        """
        following = {key: min(at for at, of in self.timers if of == key) for _, key in self.timers}
        timers = (timer for timer in self.timers if timer[0] > following[timer[1]])
        return copy_of(Kept(self.keyed, self.broadcast, tuple(timers)))

    # ---- what functions call

    def _of_key(self) -> States:
        return self.keyed.setdefault(self._key, {})

    def get_current_key(self) -> Any:
        return self._key

    def get_index_of_this_subtask(self) -> int:
        return self.index

    def get_metrics_group(self) -> Any:
        return _Metrics()

    def get_state(self, descriptor: Any) -> Any:
        return _Value(self._of_key, descriptor.name)

    def get_map_state(self, descriptor: Any) -> Any:
        return _Map(self._of_key, descriptor.name)

    def get_broadcast_state(self, descriptor: Any) -> Any:
        return _Map(lambda: self.broadcast, descriptor.name)

    def timer_service(self) -> Any:
        return self

    def register_processing_time_timer(self, at_ms: int) -> None:
        self.timers.add((at_ms, self._key))


def copy_of(kept: Kept) -> Kept:
    """Maps are copied; their entries, and other values, are never changed in place."""
    keyed = {key: _copied(states) for key, states in kept.keyed.items()}
    return Kept(keyed, _copied(kept.broadcast), kept.timers)


def _copied(states: States) -> States:
    return {
        name: dict(value) if isinstance(value, dict) else value for name, value in states.items()
    }
