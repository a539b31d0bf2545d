"""Control commands: JSON ``{"command": "snapshot", "id": any scalar, optional}``."""

from __future__ import annotations

from typing import Any

import orjson

from flink_ol.wire.errors import WireError

COMMANDS = ("snapshot",)
_MOST_BYTES = 64 << 10


def encode_command(command: str, command_id: Any = None) -> bytes:
    """Raises WireError if there is no such command."""
    fields = {"command": command} if command_id is None else {"command": command, "id": command_id}
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
    if unknown := fields.keys() - {"command", "id"}:
        raise WireError(f"control: unknown keys {sorted(unknown)}; known are command, id")
    if isinstance(fields.get("id"), dict | list):
        raise WireError("control.id: give a text or a number")
    return fields
