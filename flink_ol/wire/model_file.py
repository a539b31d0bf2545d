"""Snapshots: the model file that users keep, and the base of the model's stored log.

Tensors of kind ``model``, readable by any safetensors library: arrays ``keys``, ``model/NAME``,
``sums/NAME``, ``recent/NAME``; fields job, spec_hash, learning, version, parent, created_ms,
names, ledger, metrics, newest_ms, kept, what a frame has, and ``sha256`` over all the rest. More
than 10,000 names stand in arrays instead, since a header has its limit: ``names/keys`` (names,)
int64, ``names/ends`` (names,) int64 and ``names/text`` uint8, the UTF-8 of name i being
``text[ends[i - 1]:ends[i]]``.

With hash_bits ``others`` has further names of an index, {key: names}.

Where features expire: ``touched_ms`` (features,) int64, when each was last in an update by the
sequencer's clock, and the field ``expired``, how many were dropped so far.

Format 2 packs the counts among sums and recent, see packed_counts, and has their shapes in
``counts``, by the arrays' names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from flink_ol.core.ledger import ledger_from_json, ledger_to_json
from flink_ol.core.messages import Snapshot, Version
from flink_ol.wire.addresses import names_of, names_to_json, version_of
from flink_ol.wire.errors import WireError
from flink_ol.wire.frames import frame_content, frame_of
from flink_ol.wire.packed_counts import pack_counts, unpack_counts
from flink_ol.wire.tensors import decode_tensors, encode_tensors, group, under

_KIND, _FORMATS = "model", range(1, 3)
_MOST_NAMES_IN_HEADER = 10_000


def encode_snapshot(snapshot: Snapshot, metrics: Mapping[str, Any]) -> bytes:
    """``metrics``: core.evaluation.metrics of the snapshot's sums, for readers of the file."""
    fields, arrays = frame_content(snapshot.frame)
    fields |= {
        "job": snapshot.job,
        "spec_hash": snapshot.spec_hash,
        "learning": snapshot.learning,
        "parent": list(snapshot.parent),
        "created_ms": snapshot.created_ms,
        "ledger": ledger_to_json(snapshot.ledger),
        "metrics": metrics,
        "newest_ms": snapshot.newest_ms,
        "kept": [list(version) for version in snapshot.kept],
    }
    shapes, packed = pack_counts(under("sums", snapshot.sums) | under("recent", snapshot.recent))
    arrays |= packed
    if shapes:
        fields["counts"] = shapes
    if snapshot.others:
        fields["others"] = names_to_json(snapshot.others)
    if snapshot.expired:
        fields["expired"] = snapshot.expired
    if snapshot.touched_ms is not None:
        arrays["touched_ms"] = snapshot.touched_ms
    if len(snapshot.names) <= _MOST_NAMES_IN_HEADER:
        fields["names"] = {str(key): name for key, name in snapshot.names.items()}
    else:
        arrays |= under("names", _name_arrays(snapshot.names))
    fields["sha256"] = _digest(fields, arrays)
    # the lowest format that says it, so that no reader is shut out without need
    return encode_tensors(_KIND, 2 if shapes else 1, fields, arrays)


def decode_snapshot(data: bytes) -> Snapshot:
    """Raises WireError, also where the content is not what was written."""
    return read_snapshot(data)[0]


def read_snapshot(data: bytes) -> tuple[Snapshot, dict[str, Any]]:
    """The snapshot and the file's JSON fields. Raises WireError."""
    fields, arrays = decode_tensors(_KIND, _FORMATS, data)
    said = fields.pop("sha256", None)
    content = {key: value for key, value in fields.items() if key not in ("kind", "format")}
    if said != _digest(content, arrays):
        raise WireError(
            f"model: its content does not have the SHA-256 it says ({said}); read it again"
        )
    try:
        arrays = unpack_counts(fields.get("counts", {}), arrays)
        snapshot = Snapshot(
            fields["job"],
            fields["spec_hash"],
            fields["learning"],
            version_of(fields["parent"]),
            int(fields["created_ms"]),
            frame_of(fields, arrays),
            _names(fields, group("names", arrays)),
            ledger_from_json(fields["ledger"]),
            group("sums", arrays),
            int(fields["newest_ms"]),
            tuple(map(version_of, fields["kept"])),
            group("recent", arrays),
            arrays.get("touched_ms"),
            int(fields.get("expired", 0)),
            names_of(fields.get("others", {})),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WireError(f"model: a field is missing or wrong ({error!r})") from None
    return snapshot, {**fields, "sha256": said}


def snapshot_key(version: Version, part: int) -> bytes:
    """The Kafka key of one part of a snapshot: ``epoch.number.part``."""
    return f"{version.epoch}.{version.number}.{part}".encode()


def _name_arrays(names: Mapping[int, str]) -> dict[str, np.ndarray]:
    texts = [name.encode() for name in names.values()]
    return {
        "keys": np.fromiter(names, np.int64, len(names)),
        "ends": np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts))),
        "text": np.frombuffer(b"".join(texts), np.uint8),
    }


def _names(fields: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> dict[int, str]:
    if not arrays:
        return {int(key): name for key, name in fields["names"].items()}
    text, ends = arrays["text"].tobytes(), arrays["ends"].tolist()
    starts = [0, *ends[:-1]]
    parts = [text[start:end].decode() for start, end in zip(starts, ends, strict=True)]
    return dict(zip(arrays["keys"].tolist(), parts, strict=True))


def _digest(fields: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256(orjson.dumps(fields, option=orjson.OPT_SORT_KEYS))
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array.data)
    return digest.hexdigest()
