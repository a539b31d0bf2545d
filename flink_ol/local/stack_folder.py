"""The work folder of a local stack: what runs in it, and one change of that at a time.

`stack.json` in it tells what runs. It is written before the first process starts and after each
one, so that `down` also clears a half-started or crashed stack; the id in it marks every process
of the stack, whoever its parent is.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flink_ol.local.errors import StackError
from flink_ol.local.flink_files import FlinkFolder
from flink_ol.local.home import home
from flink_ol.local.stack_record import StackRecord


class StackFolder:
    """`folder` (default: under the user's cache folder), whether or not a stack is in it."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = (folder or home() / "stack").absolute()
        self.flink_folder = FlinkFolder(self.folder / "flink")

    @property
    def bootstrap_servers(self) -> str:
        """The broker's address, HOST:PORT."""
        return self._record().bootstrap_servers

    @property
    def rest_url(self) -> str:
        """Flink's REST address, http://HOST:PORT."""
        return self._record().rest_url

    def _record(self) -> StackRecord:
        record = StackRecord.read(self.folder)
        if record is None:
            raise StackError(f"no local stack in {self.folder}: `flink-ol up` starts one")
        return record

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One `up` or `down` at a time in this folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StackError(
                    f"another process is starting or ending the local stack in {self.folder}: "
                    f"try again when it is done"
                ) from None
            yield
