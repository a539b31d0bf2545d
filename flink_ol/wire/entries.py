"""Log entries, from the sequencer to every replica of the model.

Layout: length of the header (4 bytes, little endian), the header as JSON, then as many bytes as it
says under ``update``: those of the update as the trainer sent them. So the sequencer never encodes
arrays again. Format 2 has any number of updates, their lengths a list, divisor, pace and,
where there are any, overrides, and expire_before_ms where features are to be dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

import orjson

from flink_ol.core.messages import PACE_AT_FIRST, Entry
from flink_ol.wire.addresses import pace_of, pace_to_json, version_of, worker_of
from flink_ol.wire.errors import WireError
from flink_ol.wire.updates import decode_update

_FORMATS = range(1, 3)


def encode_entry(entry: Entry, updates: Sequence[bytes]) -> bytes:
    """``updates``: the encoded ``entry.updates``."""
    # the lowest format that says it, so that no reader is shut out without need
    paced = entry.divisor != 1.0 or entry.pace != PACE_AT_FIRST
    plain = len(updates) < 2 and not (paced or entry.overrides or entry.expire_before_ms)
    lengths = [len(update) for update in updates]
    header = orjson.dumps(
        {
            "format": _FORMATS[0] if plain else _FORMATS[-1],
            "version": list(entry.version),
            "time_ms": entry.time_ms,
            "factor": entry.factor,
            "rate_scale": entry.rate_scale,
            "workers": [list(worker) for worker in entry.workers],
            "publish": sorted(entry.publish),
            "command": entry.command,
            "update": sum(lengths) if plain else lengths,
            **({} if plain else {"divisor": entry.divisor, "pace": pace_to_json(entry.pace)}),
            **({"overrides": dict(entry.overrides)} if entry.overrides else {}),
            **({"expire_before_ms": entry.expire_before_ms} if entry.expire_before_ms else {}),
        }
    )
    return b"".join((len(header).to_bytes(4, "little"), header, *updates))


def decode_entry(data: bytes) -> Entry:
    """Raises WireError."""
    end = 4 + int.from_bytes(data[:4], "little")
    if len(data) < end:
        raise WireError(f"entry: its header claims {end} bytes of {len(data)}; it was cut off")
    try:
        header = orjson.loads(data[4:end])
        if header["format"] not in _FORMATS:
            raise WireError(
                f"entry has format {header['format']}, this reader knows {_FORMATS[0]} to "
                f"{_FORMATS[-1]}: upgrade flink_ol"
            )
        lengths = header["update"]
        if isinstance(lengths, int):
            lengths = [lengths] if lengths else []
        if sum(lengths) != len(data) - end:
            raise WireError(
                f"entry: {len(data) - end} bytes of an update of {sum(lengths)}; it was cut off"
            )
        places = pairwise(accumulate(lengths, initial=end))
        return Entry(
            version_of(header["version"]),
            int(header["time_ms"]),
            tuple(decode_update(data[start:stop]) for start, stop in places),
            float(header["factor"]),
            float(header.get("divisor", 1.0)),
            float(header["rate_scale"]),
            tuple(map(worker_of, header["workers"])),
            frozenset(header["publish"]),
            header["command"],
            pace_of(header.get("pace")),
            dict(header.get("overrides", {})),
            int(header.get("expire_before_ms", 0)),
        )
    except WireError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise WireError(f"entry: damaged ({error!r})") from None
