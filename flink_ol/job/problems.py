"""What is wrong with a specification, in words that need no knowledge of the validator."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any


class SpecError(ValueError):
    """Everything that is wrong with a specification; each problem names key, value, remedy."""

    def __init__(self, source: str, problems: Sequence[str]) -> None:
        super().__init__("\n".join(f"{source}: {problem}" for problem in problems))
        self.source, self.problems = source, list(problems)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.source, self.problems)


def in_words(problem: Mapping[str, Any], fields: Any) -> str:
    """One of pydantic's errors about ``fields``, for a person."""
    place = _place(problem["loc"], fields)
    key = ".".join(map(str, place)) or "specification"
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "missing":
        return f"{key}: is missing, and has no default; add it"
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"{key}: there is no such key; {_suggestion(str(place[-1]), context, problem)}"
    if kind == "value_error":
        return str(context.get("error", problem["msg"]))
    allowed = problem["msg"].replace("Input should be ", "").replace("Input should ", "")
    if kind == "string_pattern_mismatch":
        allowed = "letters, digits, '.', '_' and '-', at most 200, first a letter or a digit"
    return f"{key}: {problem['input']!r} is not allowed; give {allowed}"


def _place(loc: Sequence[Any], fields: Any) -> list[Any]:
    """``loc`` without the tags that the validator puts in for members of a union."""
    place = []
    for number, part in enumerate(loc):
        last = number == len(loc) - 1
        if isinstance(fields, Mapping) and part not in fields and not last:
            continue
        if not isinstance(fields, Mapping | list) and number:
            continue
        place.append(part)
        if isinstance(fields, Mapping):
            fields = fields.get(part)
        elif isinstance(fields, list) and isinstance(part, int) and part < len(fields):
            fields = fields[part]
    return place


def _suggestion(key: str, context: Mapping[str, Any], problem: Mapping[str, Any]) -> str:
    known = context.get("known", ())
    close = difflib.get_close_matches(key, known, 1)
    if close:
        return f"did you mean {close[0]}?"
    return "`flink-ol schema` lists the keys" if not known else f"known are {', '.join(known)}"
