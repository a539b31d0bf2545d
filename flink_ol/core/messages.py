"""What the trainer, the sequencer and the model say to each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from flink_ol.core.ledger import Account, Tally
from flink_ol.core.samples import Samples
from flink_ol.core.state import NOTHING, Delta
from flink_ol.core.unadmitted import Counts


class Version(NamedTuple):
    """Address of a model: versions of a later epoch are newer, whatever their number."""

    epoch: int  # int64, grows with every restart of the sequencer; 0: the initial model
    number: int  # int64, one per entry


INITIAL = Version(0, 0)


# what the arrays of an update say
DIFFERENCE, GRADIENT, VALUES = "difference", "gradient", "values"

# what an entry may have published
WEIGHTS, SNAPSHOT, METRICS = "weights", "snapshot", "metrics"
WHOLE = "whole"  # beside WEIGHTS: not just what changed


class Worker(NamedTuple):
    """One life of one trainer subtask; a restart draws a new incarnation."""

    index: int  # type: ignore[assignment]  # subtask index; hides tuple.index, which nobody needs
    incarnation: int  # random, 63 bits


class Hello(NamedTuple):
    """Said by a trainer subtask before its first output."""

    worker: Worker


class Update(NamedTuple):
    """What a shard learned from one batch, against the newest model it knew."""

    partition: int
    sequence: int  # 1, 2, ... per partition
    worker: Worker
    base: Version
    account: Account  # the batch's offsets
    delta: Delta
    sums: Mapping[str, np.ndarray]  # prequential sums, see core.evaluation
    names: Mapping[int, str]  # names of feature keys that the base does not have
    newest_ms: int  # largest Kafka timestamp of the batch
    meaning: str = DIFFERENCE  # of delta; GRADIENT: sums of gradients; VALUES: what to set
    samples: Samples | None = None  # to be learned from by the sequencer, delta being empty
    round: int = 0  # of synchronous steps, that it is for
    ends_pass: bool = False  # the shard has no more samples in this pass over a bounded input
    others: Mapping[int, tuple[str, ...]] = {}  # names that met in one index of hash_bits
    codes: Mapping[str, str] = {}  # array of delta -> numbers that hold it, see core.lossy

    def without_delta(self) -> Update:
        """The update with all its samples rejected and nothing to merge."""
        account = self.account
        rejected = account.learned.join(account.rejected)
        more = account.more_samples + account.more_letters
        return self._replace(
            account=Account(Tally(), rejected, more_letters=more),
            delta=NOTHING,
            sums={},
            names={},
            others={},
        )


class Pace(NamedTuple):
    """How far the shards are together, where they wait for each other."""

    round: int = 0  # synchronous rounds done
    passes: int = 0  # passes over a bounded input done
    clocks: Mapping[int, int] = {}  # partition at work -> its updates, aligned


PACE_AT_FIRST = Pace()


class Entry(NamedTuple):
    """One element of the ordered log; the model is a fold over entries."""

    version: Version
    time_ms: int  # the sequencer's clock; replicas have no other
    updates: tuple[Update, ...] = ()  # one, or a shard each in a synchronous round
    factor: float = 1.0  # weight of an update's averaged differences
    divisor: float = 1.0  # of the summed gradients
    rate_scale: float = 1.0  # factor of the learning rate for what is learned from now on
    workers: tuple[Worker, ...] = ()  # all trainers that have said hello in this epoch
    publish: frozenset[str] = frozenset()  # of WEIGHTS, WHOLE, SNAPSHOT, METRICS
    # the control command it answers, as read; with ``refused``, a reason, where it was not obeyed
    command: Mapping[str, Any] | None = None
    pace: Pace = PACE_AT_FIRST  # for the trainers, of what they may do from now on
    overrides: Mapping[str, Any] = {}  # all that hold from here on, see core.tuning
    expire_before_ms: int = 0  # features last touched before this are dropped; 0: none


class Heading(NamedTuple):
    """What says whether a frame can be taken."""

    version: Version
    workers: tuple[Worker, ...]  # those that may apply it
    parent: Version | None  # the frame that it is a change of; None: it is whole


class Frame(NamedTuple):
    """What goes back to the trainers: a model without its history, or what changed in it."""

    version: Version
    workers: tuple[Worker, ...]  # those that may apply it
    acknowledged: Mapping[int, int]  # partition -> sequence of its last update in the frame
    rate_scale: float
    keys: np.ndarray  # (features,) int64
    arrays: Mapping[str, np.ndarray]  # per feature: (features, *shape); fixed: shape
    pace: Pace = PACE_AT_FIRST
    overrides: Mapping[str, Any] = {}  # of settings, see core.tuning
    waiting: Counts | None = None  # features that have no weights yet
    parent: Version | None = None  # not None: keys and waiting hold what changed since this frame
    # array -> numbers that hold it: of a change, of the arrays that are differences, see
    # core.rounded_frames; of a whole frame, what the changes to it may have
    codes: Mapping[str, str] = {}

    @property
    def heading(self) -> Heading:
        return Heading(self.version, self.workers, self.parent)


class Snapshot(NamedTuple):
    """A model at one version with everything that belongs to it; enough to fold on from."""

    job: str
    spec_hash: str
    learning: Mapping[str, Any]  # core.config.Learning as JSON, the frame's overrides in it
    parent: Version  # version of the snapshot before
    created_ms: int
    frame: Frame
    names: Mapping[int, str]  # feature key -> name
    ledger: Mapping[int, Account]
    sums: Mapping[str, np.ndarray]  # prequential sums so far
    newest_ms: int  # largest Kafka timestamp among the samples
    kept: tuple[Version, ...] = ()  # earlier snapshots that are still on the topic
    recent: Mapping[str, np.ndarray] = {}  # sums of the newest samples
    touched_ms: np.ndarray | None = None  # (features,) int64, where features expire
    expired: int = 0  # features dropped so far
    others: Mapping[int, tuple[str, ...]] = {}  # further names of an index of hash_bits


class Request(NamedTuple):
    """A decoded prediction request: ``samples`` has one row, or ``error`` says why not."""

    id: Any  # as the requester gave it, JSON scalar or None
    row: Any  # Samples of one row, or None
    error: str | None = None
    partition: int = 0
    offset: int = 0
