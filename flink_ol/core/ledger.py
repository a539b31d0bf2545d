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

    A record of several samples is learned from if one of them is. How many samples there were
    stands beside the tallies as what exceeds one a record: 0 where a record is one sample.
    """

    learned: Tally = Tally()
    rejected: Tally = Tally()
    more_samples: int = 0  # learned, beyond one a learned record
    more_letters: int = 0  # dead letters, beyond one a rejected record

    @property
    def samples(self) -> int:
        """How many samples were learned."""
        return self.learned.count + self.more_samples

    @property
    def dead_letters(self) -> int:
        """How many records and samples of records were rejected."""
        return self.rejected.count + self.more_letters

    def join(self, other: Account) -> Account:
        """The account of two disjoint sets of records."""
        return Account(
            self.learned.join(other.learned),
            self.rejected.join(other.rejected),
            self.more_samples + other.more_samples,
            self.more_letters + other.more_letters,
        )


def account_of(learned: np.ndarray, rejected: np.ndarray, unfinished: int = -1) -> Account:
    """The account of samples by their offsets, several for a record of several samples.

    ``learned`` (samples,): learned from; ``rejected`` (dead letters,): records and samples that
    were not. A record counts as learned if one of its samples is, and with its last sample: not,
    if it is ``unfinished``.
    """
    refused = rejected[rejected != unfinished]
    if len(refused):  # looking for the learned ones among none would sort them all
        refused = np.setdiff1d(refused, learned)
    tallies = Tally.of(learned[learned != unfinished]), Tally.of(refused)
    return Account(*tallies, len(learned) - tallies[0].count, len(rejected) - tallies[1].count)


Ledger = dict[int, Account]  # by partition

_MORE = "more_samples", "more_letters"


def ledger_to_json(ledger: Mapping[int, Account]) -> dict[str, Any]:
    """``{"0": {"count", "first", "last", "sum", "xor", "rejected": {the same}}}``.

    And ``more_samples``, ``more_letters`` where they are not 0.
    """
    return {
        str(partition): {
            **account.learned.to_json(),
            "rejected": account.rejected.to_json(),
            **{name: more for name in _MORE if (more := getattr(account, name))},
        }
        for partition, account in sorted(ledger.items())
    }


def ledger_from_json(fields: Mapping[str, Any]) -> Ledger:
    """The inverse of :func:`ledger_to_json`."""
    return {
        int(partition): Account(
            Tally.from_json(account),
            Tally.from_json(account["rejected"]),
            *(int(account.get(name, 0)) for name in _MORE),
        )
        for partition, account in fields.items()
    }
