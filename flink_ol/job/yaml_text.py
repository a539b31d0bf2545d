"""YAML text to plain data, with ``${NAME}`` and ``${NAME:-default}`` from the environment."""

from __future__ import annotations

import os
import re
from typing import Any

import yaml

from flink_ol.job.problems import SpecError

_VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")


def read_yaml(text: str, source: str) -> dict[str, Any]:
    """The mapping in ``text``; SpecError if it is no mapping or a variable is not set."""
    try:
        fields = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise SpecError(source, [f"is not YAML{line}: {error.problem}"]) from None
    except yaml.YAMLError as error:
        raise SpecError(source, [f"is not YAML: {error}"]) from None
    if not isinstance(fields, dict):
        raise SpecError(source, ["is no mapping of keys to values; `flink-ol init` writes one"])
    problems: list[str] = []
    filled = _fill(fields, "", problems)
    if problems:
        raise SpecError(source, problems)
    return dict(filled)


def _fill(value: Any, key: str, problems: list[str]) -> Any:
    if isinstance(value, dict):
        return {
            k: _fill(item, f"{key}.{k}" if key else str(k), problems) for k, item in value.items()
        }
    if isinstance(value, list):
        return [_fill(item, f"{key}[{i}]", problems) for i, item in enumerate(value)]
    if not isinstance(value, str) or not _VARIABLE.search(value):
        return value

    def variable(match: re.Match[str]) -> str:
        found = os.environ.get(match["name"], match["default"])
        if found is None:
            problems.append(
                f"{key}: the environment variable {match['name']} is not set; set it, or write "
                f"${{{match['name']}:-default}}"
            )
            return ""
        return found

    whole = _VARIABLE.fullmatch(value)
    filled = _VARIABLE.sub(variable, value)
    # a variable that is the whole value may be a number or a truth value as well
    return yaml.safe_load(filled) if whole and not key.startswith("kafka.") else filled
