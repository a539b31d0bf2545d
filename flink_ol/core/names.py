"""Names of features: those that a decoder met under an index, and those kept with the model.

With hash_bits several names may meet in one index. That is measured, not estimated: the decoders
tell every name that they meet, and the model keeps which of them share an index.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TypedDict

import numpy as np

_MOST_BYTES = 64  # a name, on the average of those that may be kept
_BYTES_BESIDE = 24  # a key and its marks, where names are stored


class HashedNames(dict[int, str]):
    """By index the first name met, as samples have it, and what was not told to the model yet."""

    def __init__(self, most: int = sys.maxsize) -> None:
        """``most``: names that the model keeps; those met later are in no update, for nothing."""
        super().__init__()
        self._room = most
        self._untold: dict[int, list[str]] = {}
        self._several: dict[int, list[str]] = {}  # by index all names, where there are some

    def meet(self, key: int, name: str) -> None:
        """A name that was not met before."""
        first = self.setdefault(key, name)
        if self.all_told:
            return
        if first != name:
            self._several.setdefault(key, [first]).append(name)
        self._untold.setdefault(key, []).append(name)

    @property
    def all_told(self) -> bool:
        """Whether the model has heard of as many names as it keeps."""
        return self._room <= 0

    def tell(self, keys: np.ndarray, new: np.ndarray) -> dict[int, tuple[str, ...]]:
        """By index of ``keys`` the names not told yet, and of ``new`` among them all."""
        found: dict[int, tuple[str, ...]] = {}
        if self.all_told:
            return found
        if self._several:
            found = {key: tuple(self._several[key]) for key in new.tolist() if key in self._several}
        if self._untold:
            for key in keys.tolist():
                if self._room <= 0:
                    break
                names = self._untold.pop(key, None)
                if names is not None:
                    self._room -= len(names)
                    found.setdefault(key, tuple(names))
        if self._room <= 0:  # just now: nobody will ask for them
            self._untold.clear()
            self._several.clear()
        return found


class Told(TypedDict):
    """What an update says of names; the fields of that name."""

    names: dict[int, str]
    others: dict[int, tuple[str, ...]]  # beside the first name, where several meet


def told(names: Mapping[int, str], keys: np.ndarray, new: np.ndarray) -> Told:
    """What samples with ``names`` have to tell of ``keys``, of which ``new`` are not known yet."""
    if isinstance(names, HashedNames) and names.all_told:
        return Told(names={}, others={})
    return Told(names=named(names, new), others=others(names, keys, new))


def others(
    names: Mapping[int, str], keys: np.ndarray, new: np.ndarray
) -> dict[int, tuple[str, ...]]:
    """All names to tell of features that may share an index; none where each has its own."""
    return names.tell(keys, new) if isinstance(names, HashedNames) else {}


def named(names: Mapping[int, str], keys: np.ndarray) -> dict[int, str]:
    """The names of ``keys``; what was put in for an absent feature was named when it was met."""
    return {key: names[key] for key in keys.tolist() if key in names}


class KeptNames:
    """The names of one replica of the model: at most ``most``, of 64 bytes on the average."""

    __slots__ = ("_bytes", "_most", "collisions", "first", "others")

    def __init__(
        self,
        most: int,
        first: Mapping[int, str] | None = None,
        others: Mapping[int, tuple[str, ...]] | None = None,
    ) -> None:
        """``first`` and ``others``: kept already."""
        self._most = most
        self.first: dict[int, str] = dict(first or {})
        self.others: dict[int, tuple[str, ...]] = dict(others or {})  # met under the same index
        # names that met an index which had another name already
        self.collisions = sum(map(len, self.others.values()))
        self._bytes = sum(map(_size, self.first.values()))
        self._bytes += sum(_size(name) for names in self.others.values() for name in names)

    def __len__(self) -> int:
        return len(self.first) + self.collisions

    def keep(self, key: int, name: str) -> None:
        """Keep ``name`` of ``key``, in place, unless it is known or there are too many."""
        first = self.first.get(key)
        if first == name or name in self.others.get(key, ()):
            return
        if len(self) >= self._most or self._bytes + _size(name) > _MOST_BYTES * self._most:
            return
        self._bytes += _size(name)
        if first is None:
            self.first[key] = name
        else:
            self.others[key] = (*self.others.get(key, ()), name)
            self.collisions += 1

    def drop(self, key: int) -> None:
        """Forget the names of ``key``, in place."""
        gone = [*self.others.pop(key, ())]
        self.collisions -= len(gone)
        if key in self.first:
            gone.append(self.first.pop(key))
        self._bytes -= sum(map(_size, gone))


def _size(name: str) -> int:
    return len(name.encode(errors="surrogatepass")) + _BYTES_BESIDE
