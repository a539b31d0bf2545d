"""Updates and hellos, from the trainers to the sequencer.

Update: tensors of kind ``update``: arrays ``keys``, ``delta/NAME``, ``sums/NAME``; fields
partition, sequence, worker [index, incarnation], base [epoch, number], account, names, newest_ms.
Format 2 packs the counts among the sums, see packed_counts, and has their shapes in ``counts``.
Hello: JSON ``{"kind": "hello", "format": 1, "worker": [index, incarnation]}``.
"""

from __future__ import annotations

import orjson

from flink_ol.core.ledger import Account, ledger_from_json, ledger_to_json
from flink_ol.core.messages import Hello, Update
from flink_ol.core.state import Delta
from flink_ol.wire.addresses import version_of, worker_of
from flink_ol.wire.errors import WireError
from flink_ol.wire.packed_counts import pack_counts, unpack_counts
from flink_ol.wire.tensors import decode_tensors, encode_tensors, feature_keys, group, under

_KIND, _FORMATS = "update", range(1, 3)


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
    }
    arrays = {"keys": update.delta.keys, **under("delta", update.delta.arrays)}
    # the lowest format that says it, so that no reader is shut out without need
    return encode_tensors(_KIND, 2 if shapes else 1, fields, arrays | under("sums", sums))


def decode_update(data: bytes) -> Update:
    """Raises WireError."""
    fields, arrays = decode_tensors(_KIND, _FORMATS, data)
    try:
        partition = int(fields["partition"])
        account: Account = ledger_from_json(fields["account"])[partition]
        return Update(
            partition,
            int(fields["sequence"]),
            worker_of(fields["worker"]),
            version_of(fields["base"]),
            account,
            Delta(feature_keys(arrays), group("delta", arrays)),
            unpack_counts(fields.get("counts", {}), group("sums", arrays)),
            {int(key): name for key, name in fields["names"].items()},
            int(fields["newest_ms"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WireError(f"update: a field is missing or wrong ({error!r})") from None


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
