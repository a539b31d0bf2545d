"""Control commands: JSON, each with ``"id"``, any scalar, optional.

``{"command": "snapshot"}`` and ``{"command": "set", "values": {setting: value, ...}}``; what a
value may be is for core.tuning to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from flink_ol.wire.errors import WireError

_KEYS = {"snapshot": {"command", "id"}, "set": {"command", "id", "values"}}
COMMANDS = tuple(_KEYS)
_MOST_BYTES = 64 << 10


def encode_command(
    command: str, command_id: Any = None, values: Mapping[str, Any] | None = None
) -> bytes:
    """``values``: of the command set. Raises WireError if there is no such command."""
    fields: dict[str, Any] = {"command": command}
    if command_id is not None:
        fields["id"] = command_id
    if values is not None:
        fields["values"] = dict(values)
    data = orjson.dumps(fields)
    decode_command(data)
    return data


def decode_command(data: bytes) -> dict[str, Any]:
    """The command's fields. Raises WireError."""
    if len(data) > _MOST_BYTES:
        raise WireError(f"control: a command of {len(data)} bytes; at most {_MOST_BYTES}")
    try:
        fields = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise WireError(f"control: not JSON ({error})") from None
    if not isinstance(fields, dict):
        raise WireError('control: not an object; send {"command": "snapshot"}')
    if fields.get("command") not in COMMANDS:
        allowed = ", ".join(COMMANDS)
        raise WireError(f"control.command: {fields.get('command')!r} is none of {allowed}")
    known = _KEYS[fields["command"]]
    if unknown := fields.keys() - known:
        raise WireError(
            f"control: unknown keys {sorted(unknown)}; known are {', '.join(sorted(known))}"
        )
    if "values" in known and not isinstance(fields.get("values"), dict):
        raise WireError(
            'control.values: give {"optimizer.learning_rate": 0.005}, or other settings'
        )
    if isinstance(fields.get("id"), dict | list):
        raise WireError("control.id: give a text or a number")
    return fields
