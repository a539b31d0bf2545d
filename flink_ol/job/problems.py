"""What is wrong with a specification, in words that need no knowledge of the validator.

Where an error is, and which keys there are at that place, follows from the JSON schema.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from flink_ol.core.fields import ConfigError


class SpecError(ValueError):
    """Everything that is wrong with a specification; each problem names key, value, remedy."""

    def __init__(self, source: str, problems: Sequence[str]) -> None:
        super().__init__("\n".join(f"{source}: {problem}" for problem in problems))
        self.source, self.problems = source, list(problems)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.source, self.problems)


class Problem(NamedTuple):
    """One thing that is wrong: at which key, and what."""

    key: str
    text: str

    def __str__(self) -> str:
        return f"{self.key or 'specification'}: {self.text}"


class _Place(NamedTuple):
    """Where in the file one of the validator's errors is."""

    parts: tuple[str | int, ...]
    union: tuple[str | int, ...] | None  # the value that several kinds were tried for
    node: Mapping[str, Any]  # schema of the value, or of what holds an unknown key


# that of the remedy, by the validator's type of error; its context fills the braces
_ALLOWED = {
    "string_type": "a text",
    "int_type": "an integer",
    "int_parsing": "an integer",
    "int_from_float": "an integer",
    "int_parsing_size": "a smaller integer",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "greater_than": "a value greater than {gt}",
    "greater_than_equal": "a value of at least {ge}",
    "less_than": "a value less than {lt}",
    "less_than_equal": "a value of at most {le}",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping",
    "none_required": "null",
}
_NO_MAPPING = ("model_type", "dataclass_type", "model_attributes_type")
_UNKNOWN_KEY = ("extra_forbidden", "unexpected_keyword_argument")


def in_words(
    errors: Sequence[Mapping[str, Any]], schema: Mapping[str, Any], patterns: Mapping[str, str]
) -> list[Problem]:
    """Pydantic's ``errors`` about data of ``schema``; ``patterns``: what a text must be, by key."""
    located = [(error, _place(error["loc"], schema)) for error in errors]
    problems = []
    for tried in _by_union(located):
        texts = [_problem(error, place, patterns) for error, place in tried]
        problems.append(texts[0] if len(texts) == 1 else _either(tried[0][0], texts))
    return problems


def _by_union(
    located: Sequence[tuple[Mapping[str, Any], _Place]],
) -> Iterator[list[tuple[Mapping[str, Any], _Place]]]:
    """Errors one by one; those of the kinds tried for one value together, the deepest alone."""
    unions: dict[tuple[Any, ...], list[tuple[Mapping[str, Any], _Place]]] = {}
    for error, place in located:
        if place.union is None:
            yield [(error, place)]
        else:
            unions.setdefault(place.union, []).append((error, place))
    for tried in unions.values():
        depth = max(len(place.parts) for _, place in tried)
        deepest = next(place.parts for _, place in tried if len(place.parts) == depth)
        yield [(error, place) for error, place in tried if place.parts == deepest]


def _problem(error: Mapping[str, Any], place: _Place, patterns: Mapping[str, str]) -> Problem:
    key, kind, context = _joined(place.parts), error["type"], error.get("ctx", {})
    if kind == "missing":
        return Problem(key, "is missing, and has no default; add it")
    if kind in _UNKNOWN_KEY:
        return Problem(key, f"there is no such key; {_suggestion(str(place.parts[-1]), place)}")
    if kind == "invalid_key":
        return Problem(key, "keys are texts; put it in quotes")
    if kind == "value_error":
        return _raised(key, context["error"])
    if kind == "union_tag_not_found":
        tag = context["discriminator"].strip("'")
        return Problem(_dotted(key, tag), f"is missing; give {_one_of(list(_choices(place)))}")
    if kind == "union_tag_invalid":
        tag, choices = context["discriminator"].strip("'"), list(_choices(place))
        return not_allowed(_dotted(key, tag), context["tag"], _one_of(choices))
    if kind == "literal_error":
        choices = [str(choice) for choice in place.node.get("enum", [place.node.get("const")])]
        return not_allowed(key, error["input"], _one_of(choices))
    if kind in _NO_MAPPING:
        keys = place.node.get("properties") or {
            place.node.get("discriminator", {}).get("propertyName", "..."): None
        }
        return not_allowed(key, error["input"], f"a mapping with keys of {', '.join(keys)}")
    if kind == "string_pattern_mismatch":
        return not_allowed(key, error["input"], patterns.get(key, error["msg"]))
    limits = {name: _number(limit) for name, limit in context.items()}
    allowed = _ALLOWED.get(kind, error["msg"]).format_map(limits)
    return not_allowed(key, error["input"], allowed)


def not_allowed(key: str, value: Any, allowed: str) -> Problem:
    """The problem that ``value`` is not what is allowed at ``key``."""
    # values of properties may be secrets
    shown = "the value" if key.startswith("kafka.properties.") else _short(value)
    return Problem(key, f"{shown} is not allowed; give {allowed}")


def _number(limit: Any) -> Any:
    return f"{limit:g}" if isinstance(limit, float) else limit


def _short(value: Any) -> str:
    if value is None:
        return "null"
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _raised(key: str, error: Exception) -> Problem:
    """An error of the core, which knows the key from its own section on."""
    if isinstance(error, ConfigError):
        return not_allowed(_dotted(key, error.key), error.value, error.allowed)
    return Problem(key, str(error))


def _either(error: Mapping[str, Any], problems: Sequence[Problem]) -> Problem:
    """One problem of those that the kinds tried for one value have with it."""
    allowed = dict.fromkeys(p.text.partition("; give ")[2] or p.text for p in problems)
    return not_allowed(problems[0].key, error["input"], " or ".join(allowed))


def _one_of(choices: Sequence[str]) -> str:
    return choices[0] if len(choices) == 1 else "one of " + ", ".join(choices)


def _suggestion(key: str, place: _Place) -> str:
    known = list(place.node.get("properties", ()))
    if not known:
        return "there are none here"
    close = difflib.get_close_matches(key, known, 1)
    return f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"


def _choices(place: _Place) -> Mapping[str, Any]:
    choices: Mapping[str, Any] = place.node.get("discriminator", {}).get("mapping", {})
    return choices


def _place(loc: Sequence[str | int], schema: Mapping[str, Any]) -> _Place:
    """``loc`` without the validator's own words for the members of a union."""
    node: Mapping[str, Any] = schema
    parts: list[str | int] = []
    union = None
    for number, part in enumerate(loc):
        node = _resolved(node, schema)
        mapping = node.get("discriminator", {}).get("mapping", {})
        if part in node.get("properties", {}):
            node = node["properties"][part]
        elif part in mapping:
            node = {"$ref": mapping[part]}
            continue
        elif "anyOf" in node:
            union = tuple(parts) if union is None else union
            if isinstance(part, int):
                parts.append(part)
            continue
        elif isinstance(node.get("additionalProperties"), Mapping):
            node = node["additionalProperties"]
        elif isinstance(part, int):
            node = node.get("items", {})
        elif number < len(loc) - 1:
            continue
        parts.append(part)
    return _Place(tuple(parts), union, _resolved(node, schema))


def _resolved(node: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema that ``node`` refers to; of what may be null, that of what it is else."""
    while True:
        others = [one for one in node.get("anyOf", ()) if one.get("type") != "null"]
        if "$ref" in node:
            node = schema["$defs"][node["$ref"].rpartition("/")[2]]
        elif len(others) == 1:
            node = others[0]
        else:
            return node


def _joined(parts: Sequence[str | int]) -> str:
    text = ""
    for part in parts:
        text = f"{text}[{part}]" if isinstance(part, int) and text else _dotted(text, str(part))
    return text


def _dotted(key: str, name: str) -> str:
    return f"{key}.{name}" if key and name else key or name
