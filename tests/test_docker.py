"""What can be held of docker/ without a Docker engine."""

import re
from pathlib import Path
from typing import Any

import yaml

from flink_ol.local import broker

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text()


def services() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())["services"])


def test_every_file_that_the_image_copies_exists() -> None:
    copies = re.findall(r"^COPY (?!--from)(?:--\S+ )?(.+) \S+$", DOCKERFILE, re.MULTILINE)
    sources = [source for line in copies for source in line.split()]
    assert "flink_ol" in sources
    assert [source for source in sources if not (ROOT / source).exists()] == []


def test_the_image_builds_with_the_locked_uv_and_the_flink_of_the_lock() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    for pattern, argument in [(r"^uv==(\S+)", "UV_VERSION="), (r"^apache-flink==(\S+)", "flink:")]:
        match = re.search(pattern, lock, re.MULTILINE)
        assert match is not None
        assert argument + match[1] in DOCKERFILE


def test_the_image_does_not_run_as_root() -> None:
    assert re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE)[-1] == "flink"


def test_services_publish_ports_on_loopback_only() -> None:
    ports = [port for service in services().values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_broker_takes_what_the_local_broker_takes() -> None:
    settings = services()["broker"]["environment"]
    assert settings["KAFKA_MESSAGE_MAX_BYTES"] == broker.MAX_MESSAGE_BYTES
    assert settings["KAFKA_TRANSACTION_MAX_TIMEOUT_MS"] == broker.MAX_TRANSACTION_MS


def test_locks_name_no_host_and_no_machine_path() -> None:
    locks = ["requirements.lock", "requirements-build.lock", "docker/requirements.lock"]
    for lock in locks:
        assert not re.search(r"https?://|--index|--find-links|file:", (ROOT / lock).read_text())
