"""Values in error messages: short, whatever they are."""

from __future__ import annotations

from typing import Any

_MOST_CHARACTERS = 60


def shown(value: Any) -> str:
    """``value`` as a reader can recognise it, in at most about 70 characters.

    Collections are counted, not printed: theirs could be megabytes, or nested too deeply.
    """
    if isinstance(value, dict):
        return f"an object of {len(value)} fields"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)} values"
    if isinstance(value, str | bytes) and len(value) > _MOST_CHARACTERS:
        return _cut(repr(value[:_MOST_CHARACTERS])) + f"... of {len(value)}"
    return _cut(repr(value))


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else text[:_MOST_CHARACTERS] + "..."
