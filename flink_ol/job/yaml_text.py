"""YAML text to plain data, with ``${NAME}`` and ``${NAME:-default}`` from the environment."""

from __future__ import annotations

import os
import re
from typing import Any

import yaml

from flink_ol.job.problems import Problem, SpecError

_VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")


def read_yaml(text: str, source: str) -> tuple[dict[str, Any], list[Problem]]:
    """The mapping in ``text``, and a problem for each variable that is not set.

    Raises SpecError if it is no mapping.
    """
    try:
        fields = yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise SpecError(source, [f"is not YAML{line}: {error.problem}"]) from None
    except yaml.YAMLError as error:
        raise SpecError(source, [f"is not YAML: {error}"]) from None
    if not isinstance(fields, dict):
        raise SpecError(source, ["is no mapping of keys to values; `flink-ol init` writes one"])
    problems: list[Problem] = []
    return dict(_fill(fields, "", problems)), problems


class _Loader(yaml.SafeLoader):
    """Refuses a key that is given twice, of which YAML readers take the last in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: dict[Any, int] = {}
        for key, _ in node.value:
            # a merge key may stand more than once
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                continue
            if key.value in seen:
                problem = f"{key.value} is given in line {seen[key.value]} already"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            seen[key.value] = key.start_mark.line + 1
        return super().construct_mapping(node, deep)


def _fill(value: Any, key: str, problems: list[Problem]) -> Any:
    if isinstance(value, dict):
        filled = value.items()
        return {k: _fill(item, f"{key}.{k}" if key else str(k), problems) for k, item in filled}
    if isinstance(value, list):
        return [_fill(item, f"{key}[{i}]", problems) for i, item in enumerate(value)]
    if not isinstance(value, str) or not _VARIABLE.search(value):
        return value
    unset = [
        match["name"]
        for match in _VARIABLE.finditer(value)
        if match["name"] not in os.environ and match["default"] is None
    ]
    for name in unset:
        problems.append(
            Problem(
                key,
                f"the environment variable {name} is not set; set it, or write "
                f"${{{name}:-default}}",
            )
        )
    if unset:
        return value
    whole = _VARIABLE.fullmatch(value)
    text = _VARIABLE.sub(lambda match: os.environ.get(match["name"], match["default"]), value)
    # a variable that is the whole value may be a number or a truth value; a secret is a text
    return yaml.safe_load(text) if whole and not key.startswith("kafka.") else text
