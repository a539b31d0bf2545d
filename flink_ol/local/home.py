"""Where the local stack keeps what outlives a run: fetched jars, and the default work folder."""

import os
from pathlib import Path


def home() -> Path:
    """The user's cache folder of flink_ol; the environment variable FLINK_OL_HOME moves it."""
    if chosen := os.environ.get("FLINK_OL_HOME"):
        return Path(chosen).expanduser().absolute()
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache).expanduser().absolute() / "flink_ol"
