"""Model files that a command is given."""

from __future__ import annotations

from pathlib import Path

from flink_ol.app.errors import UsageError
from flink_ol.client import Model
from flink_ol.wire.errors import WireError


def loaded(file: Path) -> Model:
    """The model in ``file``. Raises UsageError."""
    if file.is_dir():
        raise UsageError(f"{file} is a folder: give a model file")
    if not file.is_file():
        raise UsageError(f"{file} does not exist: `flink-ol snapshot` and `replay` write models")
    try:
        return Model.load(file)
    except WireError as error:
        raise UsageError(f"{file} holds no model that can be read: {error}") from None
