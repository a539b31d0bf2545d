"""Log entries, from the sequencer to every replica of the model.

Layout: length of the header (4 bytes, little endian), the header as JSON, then the bytes of the
update as the trainer sent them, or nothing. So the sequencer never encodes arrays again.
"""

from __future__ import annotations

import orjson

from flink_ol.core.messages import Entry, Version, Worker
from flink_ol.wire.errors import WireError
from flink_ol.wire.updates import decode_update

_FORMAT = 1


def encode_entry(entry: Entry, update: bytes) -> bytes:
    """``update``: the encoded ``entry.update``, empty if it has none."""
    header = orjson.dumps(
        {
            "format": _FORMAT,
            "version": list(entry.version),
            "time_ms": entry.time_ms,
            "factor": entry.factor,
            "rate_scale": entry.rate_scale,
            "workers": [list(worker) for worker in entry.workers],
            "publish": sorted(entry.publish),
            "command": entry.command,
        }
    )
    return len(header).to_bytes(4, "little") + header + update


def decode_entry(data: bytes) -> Entry:
    """Raises WireError."""
    end = 4 + int.from_bytes(data[:4], "little")
    if len(data) < end:
        raise WireError(f"entry: its header claims {end} bytes of {len(data)}; it was cut off")
    try:
        header = orjson.loads(data[4:end])
        if header["format"] != _FORMAT:
            raise WireError(
                f"entry has format {header['format']}, this reader knows {_FORMAT}: "
                "upgrade flink_ol"
            )
        return Entry(
            Version(*header["version"]),
            int(header["time_ms"]),
            decode_update(data[end:]) if len(data) > end else None,
            float(header["factor"]),
            float(header["rate_scale"]),
            tuple(Worker(*worker) for worker in header["workers"]),
            frozenset(header["publish"]),
            header["command"],
        )
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise WireError(f"entry: damaged ({error!r})") from None
