"""Which records are in the model: per input partition, an order-free digest of their offsets.

A record counts once, however many samples it holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

_MODULUS = 1 << 64


class Tally(NamedTuple):
    """Digest of a set of offsets of one partition; adding two tallies joins disjoint sets."""

    count: int = 0  # type: ignore[assignment]  # hides the method of tuples
    first: int = -1  # smallest offset, -1 when empty
    last: int = -1  # largest offset, -1 when empty
    sum: int = 0  # modulo 2^64
    xor: int = 0

    @classmethod
    def of(cls, offsets: np.ndarray) -> Tally:
        """The tally of ``offsets`` (samples,) int64; of equal neighbours, one counts."""
        if not len(offsets):
            return cls()
        new = offsets[1:] != offsets[:-1]
        if not new.all():
            offsets = offsets[np.concatenate(([True], new))]
        return cls(
            len(offsets),
            int(offsets.min()),
            int(offsets.max()),
            int(offsets.astype(np.uint64).sum(dtype=np.uint64)),
            int(np.bitwise_xor.reduce(offsets)),
        )

    def join(self, other: Tally) -> Tally:
        """The tally of the union of two disjoint sets."""
        if not self.count or not other.count:
            return self if self.count else other
        return Tally(
            self.count + other.count,
            min(self.first, other.first),
            max(self.last, other.last),
            (self.sum + other.sum) % _MODULUS,
            self.xor ^ other.xor,
        )

    def to_json(self) -> dict[str, Any]:
        """Sum and XOR as decimal strings: they exceed what JSON readers keep exactly."""
        return {
            "count": self.count,
            "first": self.first,
            "last": self.last,
            "sum": str(self.sum),
            "xor": str(self.xor),
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Tally:
        return cls(*(int(fields[name]) for name in cls._fields))


class Account(NamedTuple):
    """One partition's records: learned from and rejected; together every offset once.

    A record of several samples is learned from if one of them is.
    """

    learned: Tally = Tally()
    rejected: Tally = Tally()

    def join(self, other: Account) -> Account:
        """The account of two disjoint sets of records."""
        return Account(self.learned.join(other.learned), self.rejected.join(other.rejected))


Ledger = dict[int, Account]  # by partition


def ledger_to_json(ledger: Mapping[int, Account]) -> dict[str, Any]:
    """``{"0": {"count", "first", "last", "sum", "xor", "rejected": {the same}}}``."""
    return {
        str(partition): {**account.learned.to_json(), "rejected": account.rejected.to_json()}
        for partition, account in sorted(ledger.items())
    }


def ledger_from_json(fields: Mapping[str, Any]) -> Ledger:
    """The inverse of :func:`ledger_to_json`."""
    return {
        int(partition): Account(Tally.from_json(account), Tally.from_json(account["rejected"]))
        for partition, account in fields.items()
    }
