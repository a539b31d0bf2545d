"""Log entries, from the sequencer to every replica of the model.

Layout: length of the header (4 bytes, little endian), the header as JSON, then as many bytes as it
says under ``update``: those of the update as the trainer sent them. So the sequencer never encodes
arrays again.
"""

from __future__ import annotations

import orjson

from flink_ol.core.messages import Entry
from flink_ol.wire.addresses import version_of, worker_of
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
            "update": len(update),
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
        if header["update"] != len(data) - end:
            raise WireError(
                f"entry: {len(data) - end} bytes of an update of {header['update']}; it was cut off"
            )
        return Entry(
            version_of(header["version"]),
            int(header["time_ms"]),
            decode_update(data[end:]) if len(data) > end else None,
            float(header["factor"]),
            float(header["rate_scale"]),
            tuple(map(worker_of, header["workers"])),
            frozenset(header["publish"]),
            header["command"],
        )
    except WireError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise WireError(f"entry: damaged ({error!r})") from None
