"""The command line as a user calls it, against the test stack."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from flink_ol.local.stack import Stack

COMMAND = [sys.executable, "-m", "flink_ol.app"]


class Shell:
    """Calls `flink-ol` in the folder of a specification; what a job learned stays between calls."""

    def __init__(self, spec: Path, stack: Stack) -> None:
        self.folder, self.stack, self.spec = spec.parent, stack, spec

    def call(self, *arguments: str | Path, code: int = 0, given: bytes = b"") -> str:
        """What the command said, whose exit code must be ``code``: to stdout, or else to stderr."""
        ended = self.ended(*arguments, given=given)
        said = ended.stderr.decode()
        assert ended.returncode == code, said
        assert "Traceback" not in said
        return ended.stdout.decode() if code == 0 else said

    def ended(
        self, *arguments: str | Path, given: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*COMMAND, *map(str, arguments)],
            cwd=self.folder,
            env=os.environ | {"FLINK_OL_FOLDER": str(self.stack.folder)},
            input=given,
            capture_output=True,
            timeout=240,
            check=False,
        )

    def json(self, *arguments: str | Path, given: bytes = b"") -> Any:
        return json.loads(self.call(*arguments, "--json", given=given))
