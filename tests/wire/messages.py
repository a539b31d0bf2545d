"""Messages of every kind, drawn by hypothesis."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from flink_ol.core.ledger import Account, Tally
from flink_ol.core.messages import Entry, Frame, Pace, Snapshot, Update, Version, Worker
from flink_ol.core.samples import Samples
from flink_ol.core.state import Delta
from flink_ol.core.unadmitted import Counts

KEYS = st.integers(-(2**63), 2**63 - 1)
COUNTS = st.integers(0, 2**62)
NAMES = st.dictionaries(KEYS, st.text(max_size=8).filter(lambda name: _encodable(name)), max_size=3)
OTHERS = NAMES.map(lambda names: {key: (name, name + "b") for key, name in names.items()})
VERSIONS = st.builds(Version, COUNTS, COUNTS)
WORKERS = st.builds(Worker, st.integers(0, 127), COUNTS)
TALLIES = st.builds(Tally, COUNTS, COUNTS, COUNTS, st.integers(0, 2**64 - 1), COUNTS)
ACCOUNTS = st.builds(Account, TALLIES, TALLIES, COUNTS, COUNTS)
FLOATS = npst.arrays(np.float64, npst.array_shapes(min_dims=1, max_dims=3, max_side=3))
ARRAYS = st.dictionaries(st.sampled_from(["weights", "scaler", "z", "steps"]), FLOATS, max_size=3)
COUNT_ARRAYS = npst.arrays(
    np.int64, npst.array_shapes(max_dims=2, max_side=9), elements=COUNTS, fill=st.just(0)
)
SUMS = st.dictionaries(st.sampled_from(["counts", "losses"]), FLOATS | COUNT_ARRAYS, max_size=2)
KEY_ARRAYS = st.lists(KEYS, max_size=5, unique=True).map(lambda keys: np.array(keys, np.int64))

PACES = st.builds(Pace, COUNTS, COUNTS, st.dictionaries(st.integers(0, 1000), COUNTS, max_size=3))
SAMPLES = st.just(
    Samples(
        np.array([0, 2, 3]),
        np.array([5, -1, 5]),
        np.array([0.5, 1.0, -2.0]),
        np.array([True, False, True]),
        np.array([1.0, 0.0]),
        np.array([1.0, 2.0]),
        np.array([7, 9]),
        {},
    )
)
WAITING = st.none() | KEY_ARRAYS.map(lambda keys: Counts(keys, np.arange(len(keys))))

CODES = st.dictionaries(
    st.sampled_from(["weights", "z", "absent"]),
    st.sampled_from(["float64", "float16", "int8"]),
    max_size=2,
)
UPDATES = st.builds(
    Update,
    partition=st.integers(0, 1000),
    sequence=COUNTS,
    worker=WORKERS,
    base=VERSIONS,
    account=ACCOUNTS,
    delta=st.builds(Delta, KEY_ARRAYS, ARRAYS, WAITING),
    sums=SUMS,
    names=NAMES,
    newest_ms=COUNTS,
    others=OTHERS,
    meaning=st.sampled_from(["difference", "gradient", "values"]),
    samples=st.none() | SAMPLES,
    round=COUNTS,
    ends_pass=st.booleans(),
    codes=CODES,
).map(lambda update: _with_its_names(update))
OVERRIDES = st.dictionaries(
    st.sampled_from(["optimizer.learning_rate", "model.clip_norm"]),
    st.none() | st.integers(0, 9) | st.floats(0, 1),
)
ENTRIES = st.builds(
    Entry,
    version=VERSIONS,
    time_ms=COUNTS,
    updates=st.lists(UPDATES, max_size=3).map(tuple),
    factor=st.floats(0, 1),
    rate_scale=st.floats(1, 128),
    workers=st.lists(WORKERS, max_size=3).map(tuple),
    publish=st.frozensets(st.sampled_from(["weights", "snapshot", "metrics"])),
    divisor=st.sampled_from([1.0, 7.0]),
    command=st.none() | st.just({"command": "snapshot", "id": "a"}),
    pace=PACES,
    overrides=OVERRIDES,
    expire_before_ms=COUNTS,
)
FRAMES = st.builds(
    Frame,
    version=VERSIONS,
    workers=st.lists(WORKERS, max_size=3).map(tuple),
    acknowledged=st.dictionaries(st.integers(0, 1000), COUNTS, max_size=3),
    rate_scale=st.floats(1, 128),
    keys=KEY_ARRAYS,
    arrays=ARRAYS,
    pace=PACES,
    overrides=OVERRIDES,
    waiting=WAITING,
    parent=st.none() | VERSIONS,
    codes=CODES,
)
SNAPSHOTS = st.builds(
    Snapshot,
    job=st.just("flights"),
    spec_hash=st.just("ab" * 32),
    learning=st.just({"task": "binary"}),
    parent=VERSIONS,
    created_ms=COUNTS,
    frame=FRAMES.map(lambda frame: frame._replace(parent=None, codes={})),
    names=NAMES,
    ledger=st.dictionaries(st.integers(0, 1000), ACCOUNTS, max_size=3),
    sums=SUMS,
    newest_ms=COUNTS,
    kept=st.lists(VERSIONS, max_size=3).map(tuple),
    recent=SUMS,
    others=OTHERS,
    expired=COUNTS,
    touched_ms=st.none() | st.just(np.array([5, 7])),
)


def same(one: object, other: object) -> bool:
    """Equality that looks into arrays, dtype and NaN included."""
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=True)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, tuple) and isinstance(other, tuple):
        return (
            type(one) is type(other)
            and len(one) == len(other)
            and all(same(a, b) for a, b in zip(one, other, strict=True))
        )
    return one == other


def _with_its_names(update: Update) -> Update:
    samples = update.samples
    if samples is not None:  # whose length is that of its rows, which _replace does not like
        samples = Samples(**{**samples._asdict(), "names": update.names})
    return update._replace(samples=samples)


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
