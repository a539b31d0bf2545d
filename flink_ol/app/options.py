"""Arguments and options that several commands share, so that they read alike everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

SpecPath = Annotated[
    Path, typer.Argument(metavar="SPEC", help="The job's specification, a YAML file.")
]
RecordsPath = Annotated[
    str,
    typer.Argument(
        metavar="FILE", help="Records, one a line, or Arrow: a file, a gzip file, or - for stdin."
    ),
]
Folder = Annotated[
    Path,
    typer.Option(
        "--folder",
        envvar="FLINK_OL_FOLDER",
        help="Work folder of the local stack.",
    ),
]
FOLDER = Path(".flink-ol")
RestUrl = Annotated[
    str | None,
    typer.Option(
        "--rest-url",
        help="REST address of another Flink cluster, http://host:port; default: the local stack's.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
