"""The jars of the local stack: fixed in jars.lock by SHA-256, fetched once, verified at each use.

A line of jars.lock is `SET GROUP:ARTIFACT:VERSION SHA256`; the sets are `broker` (the Kafka broker
with its runtime dependencies) and `connector` (the shaded Kafka connector for Flink).
"""

import hashlib
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from flink_ol.local.errors import StackError
from flink_ol.local.home import home

REPOSITORY_VARIABLE = "FLINK_OL_MAVEN_REPOSITORY"  # URL of a mirror; unset: Maven Central
FETCHERS = 4


@dataclass(frozen=True)
class Jar:
    """One locked artifact."""

    set_name: str
    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"

    def path(self, cache: Path) -> Path:
        """Where it lies, in the layout of a Maven repository."""
        folder = cache.joinpath(*self.group.split("."), self.artifact, self.version)
        return folder / self.file_name


def locked_jars(set_name: str | None = None) -> list[Jar]:
    """The jars of jars.lock, of one set or of all."""
    text = resources.files("flink_ol.local").joinpath("jars.lock").read_text()
    jars = []
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, coordinates, sha256 = line.split()
            group, artifact, version = coordinates.split(":")
            jars.append(Jar(name, group, artifact, version, sha256))
    return [jar for jar in jars if set_name in (None, jar.set_name)]


def fetch(
    set_name: str | None = None, progress: Callable[[str], None] = lambda text: None
) -> list[Path]:
    """Paths of the jars of a set (or all), fetching those that are missing. Offline once cached.

    Raises:
        StackError: a jar cannot be fetched, or its checksum is not the locked one.
    """
    cache = home() / "maven"
    jars = locked_jars(set_name)
    missing = [jar for jar in jars if not _is_intact(jar, cache)]
    if missing:
        progress(f"fetching {len(missing)} jars to {cache}")
        with ThreadPoolExecutor(FETCHERS) as pool:
            list(pool.map(lambda jar: _fetch_one(jar, cache), missing))
    return [jar.path(cache) for jar in jars]


def _is_intact(jar: Jar, cache: Path) -> bool:
    path = jar.path(cache)
    return path.is_file() and sha256_of(path) == jar.sha256


def _fetch_one(jar: Jar, cache: Path) -> None:
    from jgo.maven import MavenContext  # imported here: a cached set needs neither jgo nor network

    mirror = os.environ.get(REPOSITORY_VARIABLE)
    # Into a folder of this process first, so that two processes can fetch at once and an
    # interrupted download is never taken for a jar.
    staging = cache / f".fetching-{os.getpid()}-{jar.artifact}"
    context = MavenContext(
        repo_cache=staging,
        local_repos=[],
        remote_repos={"mirror": mirror.rstrip("/")} if mirror else None,
        timeout=60,
    )
    artifact = context.project(jar.group, jar.artifact).at_version(jar.version).artifact()
    try:
        fetched = artifact.resolve()
        found = sha256_of(fetched)
        if found != jar.sha256:
            raise StackError(
                f"{jar.file_name} from {mirror or 'Maven Central'} has SHA-256 {found}, but "
                f"jars.lock says {jar.sha256}: the repository serves another file, do not use it"
            )
        path = jar.path(cache)
        path.parent.mkdir(parents=True, exist_ok=True)
        fetched.replace(path)
    except StackError:
        raise
    except Exception as error:  # jgo raises RuntimeError, requests its own, the disk OSError
        raise StackError(
            f"cannot fetch {jar.group}:{jar.artifact}:{jar.version} to {cache}: {error}. "
            f"`make setup` needs the network once; {REPOSITORY_VARIABLE} names a Maven mirror"
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
