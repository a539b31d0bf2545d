"""Settings that may change while a job runs: numbers that the loops take as arguments.

Overrides are ``{"optimizer.learning_rate": 0.005, ...}``: names as in the specification, values as
JSON. What they come to is a Learning like any other, so the same checks hold. A change never
touches the layout of the arrays, so a state goes on from where it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flink_ol.core.config import ConfigError, Learning

Overrides = Mapping[str, Any]

# those of the model that shape no array; of the optimizer, every number may change
_OF_MODEL = ("l1", "l2", "factors_l2", "clip_value", "clip_norm", "factors_learning_rate")


def tuned(learning: Learning, overrides: Overrides) -> Learning:
    """``learning`` with ``overrides`` in place of its own values.

    Raises ConfigError for a name that may not change or does not exist, and a value out of range.
    """
    fields = learning.to_json()
    names = _names(fields)
    for name, value in overrides.items():
        if name not in names:
            raise ConfigError(name, value, f"one of the settings {', '.join(names)}")
        if name.startswith("optimizer.") and not _is_number(value):
            # null would be another way to learn the intercept, with other arrays
            raise ConfigError(name, value, "a number")
        section, key = _place(fields, name)
        section[key] = value
    return Learning.from_json(fields)


def changed(learning: Learning, overrides: Overrides, values: Overrides) -> dict[str, Any]:
    """The overrides of ``learning`` that hold once ``values`` are set on top of ``overrides``.

    A setting that comes to what ``learning`` itself says is no override. Raises ConfigError as
    :func:`tuned` does; then nothing may change.
    """
    if not values:
        raise ConfigError("values", dict(values), "at least one setting")
    wanted = {**overrides, **values}
    before, after = learning.to_json(), tuned(learning, wanted).to_json()
    settled = {name: _value(after, name) for name in sorted(wanted)}
    return {name: value for name, value in settled.items() if value != _value(before, name)}


def fitting(learning: Learning, overrides: Overrides) -> dict[str, Any]:
    """Those of ``overrides`` that ``learning``, which may be another since, still has.

    Taken one by one in the order of their names, so that everybody comes to the same.
    """
    found: dict[str, Any] = {}
    for name in sorted(overrides):
        wanted = {**found, name: overrides[name]}
        try:
            tuned(learning, wanted)
        except ConfigError:
            continue
        found = wanted
    return found


def _names(fields: dict[str, Any]) -> list[str]:
    """The settings that may change."""
    names = []
    for key, value in fields["optimizer"].items():
        if isinstance(value, dict):  # the schedule, or the rates of single features
            names += [f"optimizer.{key}.{inner}" for inner in value if _is_number(value[inner])]
        elif _is_number(value):
            names.append(f"optimizer.{key}")
    return names + [f"model.{key}" for key in fields["model"] if key in _OF_MODEL]


def _place(fields: dict[str, Any], name: str) -> tuple[dict[str, Any], str]:
    """The section of ``fields`` that holds the setting ``name``, and its key there."""
    head, _, key = name.partition(".")
    section = fields[head]
    outer, _, inner = key.partition(".")  # names of features may have dots of their own
    return (section[outer], inner) if inner else (section, key)


def _value(fields: dict[str, Any], name: str) -> Any:
    section, key = _place(fields, name)
    return section[key]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
