"""Updates and hellos, from the trainers to the sequencer.

Update: tensors of kind ``update``: arrays ``keys``, ``delta/NAME``, ``sums/NAME``; fields
partition, sequence, worker [index, incarnation], base [epoch, number], account, names, newest_ms.
Where features have to be met several times: ``waiting/keys`` and ``waiting/counts``, those that
have no weights yet and in how many samples of the batch they were.
With hash_bits ``others``, {key: names met under it}.
Format 2 packs the counts among the sums, see packed_counts, and has their shapes in ``counts``.
Format 3 has meaning, round, ends_pass, and, if samples are to be learned from, their arrays as
``samples/NAME``.
Format 4 has arrays of the delta that were rounded under ``narrow``, see narrow, with ``codes``,
{array: numbers that hold it}, and ``keys`` of 4 bytes where that is enough.
Hello: JSON ``{"kind": "hello", "format": 1, "worker": [index, incarnation]}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from flink_ol.core.ledger import Account, ledger_from_json, ledger_to_json
from flink_ol.core.messages import DIFFERENCE, Hello, Update
from flink_ol.core.samples import Samples
from flink_ol.core.state import Delta
from flink_ol.wire.addresses import names_of, names_to_json, version_of, worker_of
from flink_ol.wire.errors import WireError
from flink_ol.wire.narrow import narrow_keys, narrowed, wide_keys, widened
from flink_ol.wire.packed_counts import pack_counts, unpack_counts
from flink_ol.wire.tensors import (
    counts,
    decode_tensors,
    encode_tensors,
    feature_keys,
    group,
    under,
)

_KIND, _FORMATS = "update", range(1, 5)
_DIFFERENCE = (DIFFERENCE, 0, False)
_COLUMNS = ("indptr", "keys", "values", "numeric", "labels", "importance", "offsets")


def encode_update(update: Update) -> bytes:
    shapes, sums = pack_counts(update.sums)
    fields = {
        "partition": update.partition,
        "sequence": update.sequence,
        "worker": list(update.worker),
        "base": list(update.base),
        "account": ledger_to_json({update.partition: update.account}),
        "names": {str(key): name for key, name in update.names.items()},
        "newest_ms": update.newest_ms,
        **({"counts": shapes} if shapes else {}),
        **({"others": names_to_json(update.others)} if update.others else {}),
    }
    told, narrow, others = narrowed(update.codes, update.delta.arrays)
    keys = narrow_keys(update.delta.keys) if update.codes else update.delta.keys
    arrays = {"keys": keys, **under("delta", others), **under("narrow", narrow)}
    arrays |= under("sums", sums)
    if update.delta.waiting is not None:
        arrays |= under("waiting", update.delta.waiting._asdict())
    # the lowest format that says it, so that no reader is shut out without need
    number = 2 if shapes else 1
    kind = update.meaning, update.round, update.ends_pass
    if kind != _DIFFERENCE or update.samples is not None:
        number = 3
        fields |= dict(zip(("meaning", "round", "ends_pass"), kind, strict=True))
    if update.codes:
        number = 4
        fields |= {"codes": dict(update.codes), "narrow": told}
    if update.samples is not None:
        columns = update.samples._asdict()
        arrays |= under("samples", {name: columns[name] for name in _COLUMNS})
    return encode_tensors(_KIND, number, fields, arrays)


def decode_update(data: bytes) -> Update:
    """Raises WireError."""
    fields, arrays = decode_tensors(_KIND, _FORMATS, data)
    try:
        partition = int(fields["partition"])
        account: Account = ledger_from_json(fields["account"])[partition]
        names = {int(key): name for key, name in fields["names"].items()}
        codes = {str(name): str(code) for name, code in fields.get("codes", {}).items()}
        arrays = wide_keys(arrays) if codes else arrays
        delta = group("delta", arrays) | widened(fields.get("narrow", {}), group("narrow", arrays))
        return Update(
            partition,
            int(fields["sequence"]),
            worker_of(fields["worker"]),
            version_of(fields["base"]),
            account,
            Delta(feature_keys(arrays), delta, counts("waiting", arrays)),
            unpack_counts(fields.get("counts", {}), group("sums", arrays)),
            names,
            int(fields["newest_ms"]),
            str(fields.get("meaning", DIFFERENCE)),
            _samples(group("samples", arrays), names),
            int(fields.get("round", 0)),
            bool(fields.get("ends_pass", False)),
            names_of(fields.get("others", {})),
            codes,
        )
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise WireError(f"update: a field is missing or wrong ({error!r})") from None


def _samples(columns: Mapping[str, np.ndarray], names: Mapping[int, str]) -> Samples | None:
    """The samples of the columns; names are of keys that were never sent before."""
    made: dict[str, Any] = {name: columns[name] for name in _COLUMNS} if columns else {}
    return Samples(**made, names=names) if made else None


def encode_hello(hello: Hello) -> bytes:
    return orjson.dumps({"kind": "hello", "format": 1, "worker": list(hello.worker)})


def decode_hello(data: bytes) -> Hello:
    """Raises WireError."""
    try:
        fields = orjson.loads(data)
        if (fields["kind"], fields["format"]) != ("hello", 1):
            raise WireError(f"hello: unknown kind or format in {fields}")
        return Hello(worker_of(fields["worker"]))
    except WireError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise WireError(f"hello: damaged ({error!r})") from None
