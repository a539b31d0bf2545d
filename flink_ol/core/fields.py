"""Sections of the configuration: frozen dataclasses whose annotations say what is allowed.

The constraints are annotated_types, which pydantic understands too, so one declaration serves the
specification (validated and published as JSON schema by pydantic) and the core, which reads models
back without it.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

import annotated_types

_LARGEST = (1 << 63) - 1  # states and messages hold no larger integers

_LIMITS: dict[type, tuple[str, str, Callable[[Any, Any], bool]]] = {
    annotated_types.Gt: ("gt", "greater than", lambda value, limit: value > limit),
    annotated_types.Ge: ("ge", "at least", lambda value, limit: value >= limit),
    annotated_types.Lt: ("lt", "less than", lambda value, limit: value < limit),
    annotated_types.Le: ("le", "at most", lambda value, limit: value <= limit),
}


class ConfigError(ValueError):
    """A setting that is not allowed: which key, its value, and what is."""

    def __init__(self, key: str, value: object, allowed: str) -> None:
        super().__init__(f"{key or 'configuration'}: {value!r} is not allowed; give {allowed}")
        self.key, self.value, self.allowed = key, value, allowed

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.key, self.value, self.allowed)


class Tagged(typing.NamedTuple):
    """Marks a union of sections told apart by the literal field ``key``."""

    key: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: Callable[[Any], dict[str, Any]]
    ) -> dict[str, Any]:
        """The same for pydantic, so that an error is about the member that was meant."""
        members = typing.get_args(source) or (source,)
        choices = {str(_tag(member, self.key)): handler(member) for member in members}
        return {"type": "tagged-union", "choices": choices, "discriminator": self.key}


class Section:
    """Base of all sections: plain JSON in and out, everything checked at construction."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {
        "extra": "forbid",
        "allow_inf_nan": False,
        "use_attribute_docstrings": True,
    }

    described: ClassVar[Mapping[str, str]] = {}
    """Descriptions of fields that a base class declares: pydantic reads those of a class's own."""

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> Any:
        """The JSON schema with every description."""
        found = handler(schema)
        for name, field_schema in handler.resolve_ref_schema(found)["properties"].items():
            if name in cls.described:
                field_schema.setdefault("description", cls.described[name])
        return found

    def __post_init__(self) -> None:
        cls: Any = type(self)  # the checker does not believe that classes can be hashed
        for name, kind in _hints(cls).items():
            object.__setattr__(self, name, _read(kind, getattr(self, name), name))

    def to_json(self) -> dict[str, Any]:
        """The section as plain JSON; :meth:`from_json` is the inverse."""
        return typing.cast(dict[str, Any], _plain(self))

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Self:
        """The section of plain JSON; ConfigError where it says something not allowed."""
        return typing.cast(Self, _read_section(cls, fields, ""))


@functools.cache
def _hints(cls: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(cls, include_extras=True)
    return {field.name: hints[field.name] for field in _fields(cls)}


def _fields(cls: Any) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(cls)


def _tag(member: type, key: str) -> Any:
    return typing.get_args(_hints(member)[key])[0]


def _plain(value: Any) -> Any:
    if isinstance(value, Section):
        fields = _fields(type(value))
        return {field.name: _plain(getattr(value, field.name)) for field in fields}
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _read_section(cls: type, value: Any, key: str) -> Any:
    if isinstance(value, cls):
        return value
    names = _hints(cls)
    if not isinstance(value, Mapping):
        raise ConfigError(key, value, f"a mapping with the keys {', '.join(names)}")
    for name in value:
        if name not in names:
            raise ConfigError(_join(key, name), value[name], f"one of the keys {', '.join(names)}")
    for field in _fields(cls):
        required = field.default is field.default_factory is dataclasses.MISSING
        if required and field.name not in value:
            raise ConfigError(_join(key, field.name), None, "a value: it has no default")
    fields = {name: _read(names[name], item, _join(key, name)) for name, item in value.items()}
    try:
        return cls(**fields)
    except ConfigError as error:
        if not key:
            raise
        raise ConfigError(_join(key, error.key), error.value, error.allowed) from None


def _join(key: str, name: object) -> str:
    return f"{key}.{name}" if key else str(name)


def _read(kind: Any, value: Any, key: str) -> Any:
    """``value`` as ``kind``; ConfigError if it is not one."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return _read_annotated(arguments[0], arguments[1:], value, key)
    if origin in (types.UnionType, typing.Union):
        return _read_union(arguments, value, key)
    if origin is typing.Literal:
        if not any(value == item and type(value) is type(item) for item in arguments):
            raise ConfigError(key, value, "one of " + ", ".join(map(str, arguments)))
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise ConfigError(key, value, "a list")
        return tuple(_read(arguments[0], item, f"{key}[{i}]") for i, item in enumerate(value))
    if origin is dict:
        if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
            raise ConfigError(key, value, "a mapping with texts as keys")
        return {name: _read(arguments[1], item, _join(key, name)) for name, item in value.items()}
    if isinstance(kind, type) and issubclass(kind, Section):
        return _read_section(kind, value, key)
    return _read_scalar(kind, value, key)


def _read_scalar(kind: type, value: Any, key: str) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and isinstance(value, int) and abs(value) > _LARGEST:
        raise ConfigError(key, value, f"a number between -{_LARGEST} and {_LARGEST}")
    if kind is float and number:
        if math.isfinite(value):
            return float(value)
        raise ConfigError(key, value, "a finite number")
    if kind is types.NoneType and value is None:
        return value
    # a bool is an int to isinstance
    if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
        return value
    words = {float: "a number", int: "an integer", bool: "true or false", str: "a text"}
    raise ConfigError(key, value, words.get(kind, "nothing (null)"))


def _read_annotated(kind: Any, marks: tuple[Any, ...], value: Any, key: str) -> Any:
    for mark in marks:
        if isinstance(mark, Tagged):
            return _read_tagged(kind, mark.key, value, key)
    read = _read(kind, value, key)
    for mark in marks:
        if type(mark) in _LIMITS:
            attribute, words, holds = _LIMITS[type(mark)]
            limit = getattr(mark, attribute)
            if not holds(read, limit):
                raise ConfigError(key, value, f"a value {words} {limit}")
    return read


def _read_tagged(kind: Any, tag: str, value: Any, key: str) -> Any:
    members = {_tag(member, tag): member for member in typing.get_args(kind) or (kind,)}
    if isinstance(value, tuple(members.values())):
        return value
    if not isinstance(value, Mapping):
        raise ConfigError(key, value, f"a mapping with the key {tag}")
    if value.get(tag) not in members:
        raise ConfigError(_join(key, tag), value.get(tag), "one of " + ", ".join(members))
    return _read_section(members[value[tag]], value, key)


def _read_union(members: tuple[Any, ...], value: Any, key: str) -> Any:
    others = [member for member in members if member is not types.NoneType]
    if isinstance(value, Mapping) and len(others) == 1:
        # an error is about the key inside, not about the whole
        return _read(others[0], value, key)
    allowed = []
    for member in members:
        try:
            return _read(member, value, key)
        except ConfigError as error:
            allowed.append(error.allowed)
    raise ConfigError(key, value, " or ".join(dict.fromkeys(allowed)))
