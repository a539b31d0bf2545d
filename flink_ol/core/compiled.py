"""The one place that imports numba: compiled loops for the hot paths, and what they are given.

Two engine traps are dealt with here. PyFlink's worker replaces the builtin ``print`` by one whose
module has no attribute of that name, and numba registers ``print`` at import. And numba's cache
notices a change of the file of a compiled function, not of the files of the functions it calls,
so the cache folder carries a fingerprint of the whole core.
"""

from __future__ import annotations

import functools
import os
import sys
import zlib
from pathlib import Path

import numpy as np

_print_home = sys.modules.get(print.__module__)
if _print_home is not None and not hasattr(_print_home, "print"):
    _print_home.print = print  # type: ignore[attr-defined]

import numba  # noqa: E402  the attribute above must stand first


def _fingerprint() -> str:
    checksum = 0
    for source in sorted(Path(__file__).parent.rglob("*.py")):
        checksum = zlib.crc32(source.read_bytes(), checksum)
    return f"{checksum:08x}"


if "NUMBA_CACHE_DIR" not in os.environ:
    _home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    numba.config.CACHE_DIR = os.path.join(_home, "flink_ol", "numba", _fingerprint())

njit = functools.partial(numba.njit, cache=True, nogil=True, error_model="numpy")


def plain(array: np.ndarray, dtype: type) -> np.ndarray:
    """``array`` as the one type that the loops are compiled for (writable is part of it)."""
    return np.require(array, dtype, ["C", "W"])
