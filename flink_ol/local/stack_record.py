"""What `stack.json` in the work folder remembers of a running stack."""

import json
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Self

from flink_ol.local.errors import StackError
from flink_ol.local.processes import ProcessRecord

_FILE = "stack.json"


@dataclass(frozen=True)
class StackRecord:
    """The stack's id, its addresses and the processes that were started for it."""

    id: str
    bootstrap_servers: str
    rest_url: str
    external_broker: bool
    external_cluster: bool
    slots_per_task_manager: int
    names_given: int = 0  # TaskManagers are numbered through, killed ones included
    processes: list[ProcessRecord] = field(default_factory=list)

    @classmethod
    def read(cls, folder: Path) -> "StackRecord | None":
        """The record in the folder; None where no stack is."""
        path = folder / _FILE
        try:
            values = json.loads(path.read_text())
            started = [ProcessRecord(**process) for process in values.pop("processes")]
            return cls(**values, processes=started)
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError) as error:
            raise StackError(
                f"{path} is not a record of a stack ({error}): end its processes by hand "
                f"(`ps -ef`), then delete the file"
            ) from error

    def write(self, folder: Path) -> None:
        """Replaces the record as a whole: a crash leaves the old one or the new one."""
        new = folder / f"{_FILE}.new"
        with new.open("w") as stream:
            json.dump(asdict(self), stream, indent=2)
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(folder / _FILE)

    @staticmethod
    def remove(folder: Path) -> None:
        (folder / _FILE).unlink(missing_ok=True)

    def process(self, name: str) -> ProcessRecord:
        for process in self.processes:
            if process.name == name:
                return process
        raise StackError(f"this stack has no {name} of its own: it uses an external one")

    def with_process(self, process: ProcessRecord) -> Self:
        return replace(self, processes=[*self.processes, process])

    def without_process(self, name: str) -> Self:
        return replace(self, processes=[each for each in self.processes if each.name != name])

    def with_next_name(self) -> tuple[Self, str]:
        number = self.names_given + 1
        return replace(self, names_given=number), f"tm-{number}"
